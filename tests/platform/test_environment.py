import json
import re
import sys
from importlib.metadata import version
from importlib.util import find_spec

import torch

from ganglion.platform.command_line import pasteable
from ganglion.platform.environment import EXTRAS, PACKAGES, describe_environment, missing_extras


def test_the_description_survives_json_unchanged():
    facts = describe_environment(torch.device("cpu"), ["ganglion", "train"])
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_it_holds_the_versions_of_python_and_of_what_decides_the_numbers():
    facts = describe_environment()
    assert facts["ganglion"] == version("ganglion")
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["packages"] == {name: version(name) for name in PACKAGES}
    assert {"torch", "numpy", "lightning-fabric"} <= set(PACKAGES)


def test_the_device_is_named_where_one_is_given():
    assert describe_environment(torch.device("cpu"))["device"] == "cpu"
    assert "device" not in describe_environment()


def test_the_command_is_kept_as_one_line():
    words = ["ganglion", "train", "my photos", "--set", "a=[1]"]
    assert describe_environment(command=words)["command"] == pasteable(words)


def test_threads_and_devices_are_those_of_this_process():
    facts = describe_environment()
    assert facts["torch_threads"] == torch.get_num_threads()
    assert len(facts["cuda_devices"]) == torch.cuda.device_count()


def test_the_commit_is_a_full_hash_or_none():
    commit = describe_environment()["commit"]
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}", commit)


def test_an_extra_is_missing_exactly_where_it_cannot_be_imported():
    packages = {package for wanted in EXTRAS.values() for package in wanted}
    assert set(missing_extras()) == {package for package in packages if find_spec(package) is None}


def test_a_missing_extra_says_how_it_is_installed():
    assert all(re.search(r"pip install 'ganglion\[\w+\]'$", remedy) for remedy in missing_extras().values())
