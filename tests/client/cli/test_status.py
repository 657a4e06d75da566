"""`notarium status`: the nodes, and what waits in the outbox."""


def test_status_names_each_node(study, nodes, cli):
    code, out, _ = cli("status")
    assert code == 0
    assert nodes[0].url in out
    nodes[0].stop()
    code, out, _ = cli("status", "--timeout", "0.5")
    assert code == 5
    assert "unusable" in out
