"""Several jobs by one request: what the table of them in a notebook asks for."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from chutes_nb.snapshots import GROUP_MIME
from serving import Server

READERS_ALONE = """
from jupyter_server.auth.authorizer import Authorizer
class ReadersAlone(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return action == "read"
c.ServerApp.authorizer_class = ReadersAlone
"""


def test_jobs_come_in_the_order_they_were_asked_for_without_those_nobody_knows(
    server, ids
):
    wanted = [ids["failed"], "nobody", ids["done"]]
    answer = server.client.post("group", json={"ids": wanted, "of": 7})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    api = server.client.get("openapi.json").json()
    shape = {"$ref": "#/components/schemas/GroupSnapshot"}
    Draft202012Validator(shape | {"components": api["components"]}).validate(told)
    found = told[GROUP_MIME]
    assert found["ids"] == [ids["failed"], ids["done"]]
    assert found["counts"] == {"failed": 1, "completed": 1}
    assert found["of"] == 7
    assert ids["failed"] in told["text/html"]


def test_of_jobs_that_nobody_knows_nothing_is_told(server, ids):
    answer = server.client.post("group", json={"ids": ["nobody"]})
    assert answer.status_code == 200
    assert answer.json()[GROUP_MIME]["ids"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": [""]},
        {"ids": [7]},
        {"ids": ["x" * 101]},
        {"ids": ["x"] * 2_001},
        {"ids": ["x"], "of": -1},
        {"ids": ["x"], "status": "failed"},
        [],
        None,
    ],
)
def test_what_is_no_list_of_ids_is_refused(server, body):
    answer = server.client.post("group", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["details"]


def test_the_largest_question_that_is_allowed_is_answered(server, ids):
    wanted = ["x" * 36] * 1_999 + [ids["done"]]
    answer = server.client.post("group", json={"ids": wanted})
    assert answer.json()[GROUP_MIME]["ids"] == [ids["done"]]


def test_who_may_only_look_may_ask_for_several_jobs(tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "jupyter_server_config.py").write_text(READERS_ALONE)
    with Server(tmp_path) as server:
        answer = server.client.post("group", json={"ids": ["nobody"]})
        assert answer.status_code == 200, answer.text
        assert server.client.post("jobs/nobody/cancel").status_code == 403
        server.store().close()
