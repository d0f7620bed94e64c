from __future__ import annotations

from ganglion.report.render import for_script


def test_nothing_in_data_can_end_the_script_that_holds_it():
    assert for_script({"a": "</script><!--"}) == '{"a":"\\u003c/script>\\u003c!--"}'
