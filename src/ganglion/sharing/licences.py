"""Identifiers of licences that the Hub knows: https://huggingface.co/docs/hub/repositories-licenses."""

from __future__ import annotations

from ganglion.errors import HubError
from ganglion.recipe.explain import did_you_mean

__all__ = ["COMMON", "LICENCES", "checked_licence"]

PAGE = "https://huggingface.co/docs/hub/repositories-licenses"

COMMON = ("mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "other")
"""Those that are proposed where none is given."""

IDENTIFIERS = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0
etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl
openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other
"""
LICENCES = frozenset(IDENTIFIERS.split())


def checked_licence(identifier: str | None) -> str:
    """The identifier in lower case. Raises HubError where there is none, or the Hub has no such licence."""
    proposed = ", ".join(COMMON)
    if not identifier or not identifier.strip():
        raise HubError(
            "a licence is missing, which says what others may do with the model: "
            f"--license {proposed}, or another one of {PAGE}"
        )
    chosen = identifier.strip().lower()
    if chosen not in LICENCES:
        raise HubError(
            f"the Hub has no licence {identifier.strip()[:60]!r}: expected {proposed}, or another one of {PAGE}"
            f"{did_you_mean(chosen, sorted(LICENCES))}"
        )
    return chosen
