"""`notarium status`: the nodes, and what waits in the outbox."""

import json

from tests.client.fake_node import problem


def test_status_names_each_node(study, nodes, cli):
    code, out, _ = cli("status")
    assert code == 0
    assert nodes[0].url in out
    nodes[0].stop()
    code, out, _ = cli("status", "--timeout", "0.5")
    assert code == 5
    assert "unusable" in out


def test_the_gravest_failure_of_a_flush_is_its_exit_code(project, nodes, cli):
    """Not the first one: that no node could be asked says less of the refused entry than of the other."""
    nodes[0].stop()
    for name in ("a", "b"):
        (project.root / name).write_text(name)
        cli("anchor", name, "--timeout", "0.3")
    nodes[0].start_again()
    nodes[0].requests.clear()

    async def refuse_one_and_fail(request):
        posts = nodes[0].requests.count("POST /v1/entries")
        if request.method != "POST":
            return None
        return problem(422, "invalid-entry", "no") if posts == 1 else problem(500, "internal", "broken")

    nodes[0].fault = refuse_one_and_fail
    code, out, _ = cli("status", "--flush", "--timeout", "1", "--json")
    assert code == 5
    assert sorted(each["refused"] for each in json.loads(out)["outbox"]) == [False, True]
