"""A plan as `terraform show -json` prints it: its values, and where what is known later comes from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from payinfra.checks.manifest import (
    Json,
    Manifest,
    Missing,
    PolicyDocument,
    Unresolved,
    folders,
    plan,
    reading,
)
from payinfra.checks.manifest.rewriting import Tree
from payinfra.core.errors import EnvironmentUnusable

Document = dict[str, Any]


def change(address: str, after: Document, unknown: Document | None = None, **more: Any) -> Document:
    """One resource as a plan leaves it."""
    module, _, own = address.rpartition(".module.")
    path = f"{module}.module.{own}" if module else own
    inner = path.split(".")[2:] if path.startswith("module.") else path.split(".")
    data = inner[0] == "data"
    kind, name = inner[-2], inner[-1].partition("[")[0]
    index = json.loads(address.rpartition("[")[2][:-1]) if address.endswith("]") else None
    found: Document = {
        "address": address,
        "mode": "data" if data else "managed",
        "type": kind,
        "name": name,
        "change": {
            "actions": more.pop("actions", ["read"] if data else ["create"]),
            "after": after,
            "after_unknown": unknown or {},
            "after_sensitive": more.pop("sensitive", {}),
        },
        **more,
    }
    if path.startswith("module."):
        found["module_address"] = ".".join(path.split(".")[:2])
    return found | ({} if index is None else {"index": index})


def config(kind: str, name: str, expressions: Document, **more: Any) -> Document:
    """What a plan keeps of a resource's configuration."""
    mode = "managed"
    if kind.startswith("data."):
        mode, kind = "data", kind.removeprefix("data.")
    return {
        "mode": mode,
        "type": kind,
        "name": name,
        "provider_config_key": "aws.home",
        "expressions": expressions,
        **more,
    }


def to(*references: str) -> Document:
    """An expression that refers to these, as Terraform lists them."""
    return {"references": list(references)}


HOME: Document = {
    "aws.home": {"name": "aws", "alias": "home", "expressions": {"region": {"constant_value": "eu-west-1"}}}
}


def document(
    changes: list[Document], root: Document, *, providers: Document | None = None, **more: Any
) -> Document:
    """A whole plan."""
    return {
        "format_version": "1.2",
        "resource_changes": changes,
        "configuration": {
            "provider_config": HOME if providers is None else providers,
            "root_module": root,
        },
        **more,
    }


def manifest(shown: Document, source: Tree | None = None) -> Manifest:
    """The plan as the checks see it."""
    return Manifest.of_plan(shown, name="plan.json", source=source)


def body(shown: Document, address: str) -> dict[str, Json]:
    """The body of one resource."""
    found = manifest(shown).resource(address)
    assert found is not None
    return found.body


def test_values_are_terraforms_own_and_what_nobody_configured_is_left_out() -> None:
    shown = document(
        [
            change(
                "aws_x.y",
                {
                    "name": "pay",
                    "size": 3,
                    "on": False,
                    "set": None,
                    "default": 128,
                    "blocks": [],
                    "tags_all": {},
                },
                {"arn": True, "computed": True},
            )
        ],
        {"resources": [config("aws_x", "y", {"name": {}, "size": {}, "on": {}, "set": {}, "blocks": []})]},
    )

    (one,) = manifest(shown).resources
    assert one.body == {"name": "pay", "size": 3, "on": False}
    assert one.computed == {"default": 128}
    assert (one.provider, one.region) == ("aws.home", "eu-west-1")
    assert one.has("arn") is False


def test_what_aws_has_filled_into_a_block_is_left_out() -> None:
    """A resource that exists has it in a plan, and one that is new has it not."""
    expressions = {
        "versioning": [{"status": {"constant_value": "Enabled"}, "called": {}}],
        "empty": [{}],
        "tags": {"references": ["var.tags"]},
    }
    exists = {
        "versioning": [{"status": "Enabled", "called": "now", "mfa_delete": "", "made": [{"by": "dynamic"}]}],
        "empty": [{"default": 1}],
        "tags": {"a": "b"},
    }
    shown = document([change("aws_x.y", exists)], {"resources": [config("aws_x", "y", expressions)]})
    assert body(shown, "aws_x.y") == {
        "versioning": [{"status": "Enabled", "called": "now", "made": [{"by": "dynamic"}]}],
        "empty": [{"default": 1}],
        "tags": {"a": "b"},
    }


def test_what_a_text_looks_like_is_no_expression_any_more() -> None:
    shown = document(
        [change("aws_x.y", {"policy": '{"Resource": "arn:${aws:username}/%{x}"}'})],
        {"resources": [config("aws_x", "y", {"policy": {}})]},
    )

    assert manifest(shown).resources[0].text("policy") == '{"Resource": "arn:${aws:username}/%{x}"}'


def test_the_tags_of_the_provider_are_the_resources_own() -> None:
    after = {"tags": {"a": "1"}, "tags_all": {"a": "1", "Environment": "pr7"}}
    shown = document([change("aws_x.y", after)], {"resources": [config("aws_x", "y", {"tags": {}})]})

    assert body(shown, "aws_x.y")["tags"] == {"a": "1", "Environment": "pr7"}
    assert manifest(shown).environment == "pr7"


def test_default_tags_that_the_plan_leaves_out_are_what_the_resources_share() -> None:
    tagged: Document = {
        "region": {"constant_value": "eu-west-1"},
        "default_tags": [{"tags": to("local.tags")}],
    }
    providers: Document = {"aws.home": {"name": "aws", "alias": "home", "expressions": tagged}}
    all_of = {"Environment": "pr7", "Project": "pay"}
    one = change("aws_x.one", {"tags_all": {**all_of, "Name": "one"}})
    two = change("aws_x.two", {"tags_all": {**all_of, "Name": "two"}})
    open_ = change("aws_x.open", {}, {"tags_all": True})
    blank = change("aws_x.blank", {})

    def tags(*changes: Document) -> Any:
        root = {"resources": [config("aws_x", one["name"], {}) for one in changes]}
        (provider,) = manifest(document([*changes], root, providers=providers)).providers
        groups: Any = provider.block.body["default_tags"]
        return groups[0]["tags"]

    assert tags(one, two) == tags(one, two, open_) == all_of
    assert tags(blank) == {}
    assert tags(open_) == "${local.tags}"


def test_what_is_deleted_forgotten_or_deposed_is_not_there() -> None:
    shown = document(
        [
            change("aws_x.gone", {}, actions=["delete"]),
            change("aws_x.forgotten", {}, actions=["forget"]),
            change("aws_x.old", {}, actions=["delete"], deposed="abc"),
            change("aws_x.replaced", {}, actions=["delete", "create"]),
            change("aws_x.same", {}, actions=["no-op"]),
        ],
        {},
    )

    assert [one.name for one in manifest(shown).resources] == ["replaced", "same"]


class TestReferences:
    """Without the source, a plan's own references are followed."""

    MODULES: Mapping[str, Any] = {
        "module_calls": {
            "keys": {
                "expressions": {"name": to("each.key")},
                "module": {
                    "outputs": {"arn": {"expression": to("aws_kms_key.k.arn", "aws_kms_key.k")}},
                    "resources": [config("aws_kms_key", "k", {})],
                },
            },
            "app": {
                "expressions": {
                    "key": to('module.keys["data"].arn', 'module.keys["data"]'),
                    "region": to("var.region"),
                    "plain": {"constant_value": "text"},
                },
                "module": {
                    "resources": [
                        config("aws_s3_bucket", "b", {}, for_each_expression=to("var.names")),
                        config(
                            "aws_s3_bucket_versioning",
                            "v",
                            {
                                "bucket": to("each.value.id", "each.value"),
                                "key": to("var.key"),
                                "region": to("var.region"),
                                "plain": to("var.plain"),
                                "same": to("aws_s3_bucket.b", "each.key"),
                            },
                            for_each_expression=to("aws_s3_bucket.b"),
                        ),
                    ]
                },
            },
        }
    }

    def shown(self, *changes: Document, **more: Any) -> Document:
        """A plan with the modules above."""
        return document(
            [
                change('module.keys["data"].aws_kms_key.k', {}, {"arn": True}),
                change('module.keys["app"].aws_kms_key.k', {}, {"arn": True}),
                change('module.app.aws_s3_bucket.b["eu"]', {"bucket": "eu"}, {"id": True}),
                change('module.app.aws_s3_bucket.b["us"]', {"bucket": "us"}, {"id": True}),
                *changes,
            ],
            {**self.MODULES, **more},
            variables={"region": {"value": "eu-west-3"}},
        )

    def test_they_lead_through_modules_and_instances(self) -> None:
        unknown = dict.fromkeys(("bucket", "key", "region", "plain", "same"), True)
        shown = self.shown(change('module.app.aws_s3_bucket_versioning.v["us"]', {}, unknown))

        assert body(shown, 'module.app.aws_s3_bucket_versioning.v["us"]') == {
            "bucket": '${module.app.aws_s3_bucket.b["us"].id}',
            "key": '${module.keys["data"].aws_kms_key.k.arn}',
            "region": "eu-west-3",
            "plain": "text",
            "same": '${known_after_apply(module.app.aws_s3_bucket.b["us"])}',
        }
        one = manifest(shown)
        us = one.resource('module.app.aws_s3_bucket.b["us"]')
        assert us is not None
        found = one.attached(us, "aws_s3_bucket_versioning", by="bucket")
        assert [each.address for each in found.resources] == ['module.app.aws_s3_bucket_versioning.v["us"]']
        assert found.unclear == ()

    @pytest.mark.parametrize(
        ("references", "value"),
        [
            (["aws_kms_key.k.arn", "aws_kms_key.k"], "${aws_kms_key.k.arn}"),
            (["aws_kms_key.k"], "${known_after_apply(aws_kms_key.k)}"),
            (["aws_a.b.i", "aws_a.b", "aws_c.d.e", "aws_c.d"], "${known_after_apply(aws_a.b.i, aws_c.d.e)}"),
            (["local.key"], "${local.key}"),
            (["local.a", "aws_a.b.id", "aws_a.b"], "${known_after_apply(aws_a.b.id, local.a)}"),
            (["var.nothing"], "${var.nothing}"),
            (["var.region"], "eu-west-3"),
            (["module.keys"], "${module.keys}"),
            (["module.keys.arn", "module.keys"],
             '${known_after_apply(module.keys["app"].aws_kms_key.k.arn, '
             'module.keys["data"].aws_kms_key.k.arn)}'),
            (["module.keys[\"app\"].none", "module.keys[\"app\"]"], "${known_after_apply()}"),
            (["each.key", "count.index", "path.module", "self.id", "terraform.workspace"],
             "${known_after_apply()}"),
            (["data.aws_a.b.id", "data.aws_a.b"], "${data.aws_a.b.id}"),
            (["aws_a.b[0].id", "aws_a.b[0]", "aws_a.b"], "${aws_a.b[0].id}"),
            ([], "${known_after_apply()}"),
        ],
    )  # fmt: skip
    def test_one_is_the_value_and_several_are_where_it_comes_from(
        self, references: list[str], value: str
    ) -> None:
        resource = config("aws_x", "y", {"key": to(*references)})

        shown = self.shown(change("aws_x.y", {}, {"key": True}), resources=[resource])

        assert body(shown, "aws_x.y")["key"] == value

    def test_references_in_a_circle_end(self) -> None:
        calls = {
            "m": {
                "expressions": {"a": to("module.m.out", "module.m")},
                "module": {
                    "outputs": {"out": {"expression": to("var.a")}},
                    "resources": [config("aws_x", "y", {"key": to("var.a")})],
                },
            }
        }
        shown = document([change("module.m.aws_x.y", {}, {"key": True})], {"module_calls": calls})

        assert body(shown, "module.m.aws_x.y")["key"] == "${known_after_apply()}"

    def test_the_items_of_a_list_come_from_all_its_references(self) -> None:
        statement = {"actions": {"constant_value": ["a:b"]}, "resources": to("aws_a.b.arn", "aws_a.b")}
        shown = document(
            [
                change(
                    "data.aws_iam_policy_document.d",
                    {"statement": [{"actions": ["a:b"], "resources": ["*", None], "sid": None}]},
                    {"json": True, "statement": [{"actions": [False], "resources": [False, True]}]},
                )
            ],
            {"resources": [config("data.aws_iam_policy_document", "d", {"statement": [statement]})]},
        )

        (one,) = manifest(shown).data
        assert one.body == {
            "statement": [{"actions": ["a:b"], "resources": ["*", "${known_after_apply(aws_a.b.arn)}"]}]
        }

    def test_blocks_that_nobody_wrote_down_are_those_of_dynamic_blocks(self) -> None:
        shown = document(
            [
                change(
                    "aws_x.y",
                    {"rule": [{"id": "b", "key": None}, {"id": "a"}], "made": [{"id": "c"}]},
                    {"rule": [{"key": True}, {"key": True}], "made": [{"key": True}]},
                )
            ],
            {
                "resources": [
                    config(
                        "aws_x",
                        "y",
                        {"rule": [{"id": {"constant_value": "a"}, "key": to("aws_k.k.arn", "aws_k.k")}]},
                    )
                ]
            },
        )

        assert body(shown, "aws_x.y") == {
            "rule": [
                {"id": "b", "key": "${known_after_apply()}"},
                {"id": "a", "key": "${aws_k.k.arn}"},
            ],
            "made": [{"id": "c", "key": "${known_after_apply()}"}],
        }

    def test_a_known_text_still_belongs_to_what_it_came_from(self) -> None:
        shown = document(
            [
                change("aws_f.f", {"function_name": "pay"}),
                change("aws_p.p", {"function": "pay", "listed": ["pay", "x"], "mapped": {"NAME": "pay"}}),
            ],
            {
                "resources": [
                    config("aws_f", "f", {"function_name": {}}),
                    config(
                        "aws_p",
                        "p",
                        {
                            "function": to("aws_f.f.function_name", "aws_f.f"),
                            "listed": to("aws_f.f.function_name", "aws_f.f"),
                            "mapped": to("aws_f.f.function_name", "aws_f.f"),
                        },
                    ),
                ]
            },
        )
        one = manifest(shown)
        function, permission = one.resources

        assert permission.text("function") == "pay"
        for path in ("function", "listed", "mapped"):
            assert one.referents(permission, path) == (function,), path
        assert one.referrers(function) == (permission,)

    def test_depends_on_is_of_the_same_module(self) -> None:
        calls = {
            "m": {
                "module": {
                    "resources": [config("aws_a", "a", {}), config("aws_b", "b", {}, depends_on=["aws_a.a"])]
                }
            }
        }
        shown = document(
            [change("module.m.aws_a.a", {}), change("module.m.aws_b.b", {})], {"module_calls": calls}
        )
        first, second = manifest(shown).resources

        assert manifest(shown).comes_before(first, second)
        assert not manifest(shown).comes_before(second, first)


class TestJsonConfiguration:
    """Of a configuration in JSON, as CDKTF writes it, a plan keeps the expressions themselves."""

    def test_they_are_taken_as_they_are(self) -> None:
        policy = '{"Resource": "${aws_t.t.arn}/index/*"}'
        shown = document(
            [
                change("aws_x.y", {"name": "n"}, {"policy": True, "env": True}),
                change("aws_t.t", {"name": "t"}),
            ],
            {
                "resources": [
                    config(
                        "aws_x",
                        "y",
                        {
                            "name": {"constant_value": "${aws_t.t.name}", "references": ["aws_t.t.name"]},
                            "policy": {"constant_value": policy, "references": ["aws_t.t.arn", "aws_t.t"]},
                            "env": {
                                "constant_value": {"A": "${aws_t.t.id}", "B": "b"},
                                "references": ["aws_t.t.id", "aws_t.t"],
                            },
                        },
                    )
                ]
            },
        )
        one = manifest(shown)
        thing, table = one.resources

        assert thing.template("policy") == policy
        assert thing.raw("env") == {"A": "${aws_t.t.id}", "B": "b"}
        assert thing.text("name") == "n"
        assert one.referents(thing, "name") == (table,)

    def test_an_instance_has_its_own_key(self) -> None:
        expression = {"constant_value": "${aws_t.t[each.key].arn}", "references": ["aws_t.t", "each.key"]}
        counted = {"constant_value": "${aws_t.c[count.index].arn}", "references": ["aws_t.c", "count.index"]}
        shown = document(
            [change('aws_x.y["eu"]', {}, {"key": True}), change("aws_x.z[1]", {}, {"key": True})],
            {
                "resources": [
                    config("aws_x", "y", {"key": expression}),
                    config("aws_x", "z", {"key": counted}),
                ]
            },
        )

        assert body(shown, 'aws_x.y["eu"]')["key"] == '${aws_t.t["eu"].arn}'
        assert body(shown, "aws_x.z[1]")["key"] == "${aws_t.c[1].arn}"

    def test_inside_of_a_module_only_the_references_are_followed(self) -> None:
        expression = {"constant_value": "${var.key}/*", "references": ["var.key"]}
        calls = {
            "m": {
                "expressions": {"key": to("aws_k.k.arn", "aws_k.k")},
                "module": {"resources": [config("aws_x", "y", {"key": expression})]},
            }
        }
        shown = document([change("module.m.aws_x.y", {}, {"key": True})], {"module_calls": calls})

        assert body(shown, "module.m.aws_x.y")["key"] == "${aws_k.k.arn}"


class TestProviders:
    """Where each provider works."""

    def test_a_region_may_be_a_constant_a_variable_or_only_known_by_what_is_there(self) -> None:
        providers = {
            "aws.home": {"name": "aws", "alias": "home", "expressions": {"region": to("var.home")}},
            "aws.away": {"name": "aws", "alias": "away", "expressions": {"region": to("local.away")}},
            "aws.lost": {"name": "aws", "alias": "lost", "expressions": {"region": to("local.lost")}},
            "module.m:aws.own": {
                "name": "aws",
                "alias": "own",
                "module_address": "module.m",
                "expressions": {"region": {"constant_value": "us-east-1"}},
            },
            "aws": {"name": "aws"},
            "random": {"name": "random"},
        }
        resources = [
            config("aws_subnet", "s", {"availability_zone": {}}, provider_config_key="aws.away"),
            config("aws_x", "a", {}, provider_config_key="aws.away"),
            config("aws_x", "b", {}, provider_config_key="module.m:aws.own"),
            config("aws_x", "c", {}, provider_config_key="aws.lost"),
            config("aws_x", "d", {}, provider_config_key="aws"),
            config("data.aws_region", "r", {}, provider_config_key="aws.away"),
        ]
        shown = document(
            [
                change("aws_subnet.s", {"availability_zone": "eu-south-1b"}),
                change("aws_x.a", {"arn": "arn:aws:sns:eu-south-1:1:t"}),
                change("aws_x.b", {}),
                change("aws_x.c", {"arn": "arn:aws:iam::1:role/r"}),
                change("aws_x.d", {}),
                change("data.aws_region.r", {"name": "eu-south-1"}),
            ],
            {"resources": resources},
            providers=providers,
            variables={"home": {"value": "eu-west-1"}},
        )
        one = manifest(shown)

        assert {each.address: each.region for each in one.providers} == {
            "aws.home": "eu-west-1",
            "aws.away": "eu-south-1",
            "aws.lost": Unresolved("region", "${local.lost}"),
            "aws.module-m-own": "us-east-1",
            "aws": Missing("region"),
        }
        assert [each.region for each in one.resources[:3]] == ["eu-south-1", "eu-south-1", "us-east-1"]

    def test_default_tags_are_read(self) -> None:
        tags = {"default_tags": [{"tags": {"constant_value": {"Environment": "pr3"}}}]}
        providers = {"aws.home": {"name": "aws", "alias": "home", "expressions": tags}}

        assert manifest(document([], {}, providers=providers)).environment == "pr3"


def test_outputs_have_their_value_or_where_it_comes_from() -> None:
    outputs = {
        "known": {"expression": {"constant_value": "x"}, "description": "Known"},
        "unknown": {"expression": to("aws_x.y.arn", "aws_x.y"), "sensitive": True},
    }
    shown = document([], {"outputs": outputs}, planned_values={"outputs": {"known": {"value": "x${y}"}}})

    assert [(one.name, one.block.body) for one in manifest(shown).outputs] == [
        ("known", {"description": "Known", "value": "x$${y}"}),
        ("unknown", {"sensitive": True, "value": "${aws_x.y.arn}"}),
    ]


def test_data_that_was_read_while_planning_is_there_with_its_values() -> None:
    prior = {
        "values": {
            "root_module": {
                "resources": [
                    {
                        "address": "data.aws_iam_policy_document.d",
                        "mode": "data",
                        "type": "aws_iam_policy_document",
                        "name": "d",
                        "values": {"json": "{}", "statement": [{"actions": ["a:b"]}]},
                    },
                    {"address": "aws_x.y", "mode": "managed", "type": "aws_x", "name": "y", "values": {}},
                ],
                "child_modules": [
                    {
                        "resources": [
                            {
                                "address": "module.m.data.aws_region.r",
                                "mode": "data",
                                "type": "aws_region",
                                "name": "r",
                                "values": {"name": "eu-west-1"},
                            }
                        ]
                    }
                ],
            }
        }
    }
    resources = [config("data.aws_iam_policy_document", "d", {"statement": []})]
    one = manifest(document([], {"resources": resources}, prior_state=prior))

    assert [each.address for each in one.data] == [
        "data.aws_iam_policy_document.d",
        "module.m.data.aws_region.r",
    ]
    assert one.data[0].body == {"statement": [{"actions": ["a:b"]}]}
    assert one.data[0].computed == {"json": "{}"}
    assert one.resources == ()


MAIN = """
locals { away = "eu-central-1" }
variable "home" {}
provider "aws" {
  alias  = "home"
  region = local.away
}
module "keys" {
  source   = "./keys"
  for_each = toset(["data", "app"])
  name     = each.key
}
module "listed" {
  source = "./keys"
  count  = 2
  name   = "n${count.index}"
}
module "gone" { source = "hashicorp/gone/aws" }
module "broken" { source = "./broken" }
resource "aws_t" "t" {
  for_each = { eu = { zone = "a" }, us = { zone = "b" } }
  name     = each.value.zone
  key      = module.keys["data"].arn
}
resource "aws_x" "y" {
  policy = jsonencode({ Resource = [for t in aws_t.t : "${t.arn}/index/*"], Key = module.keys["app"].arn })
  all    = aws_t.t[*].arn
  every  = module.keys[*].arn
  first  = module.listed[1].arn
  lists  = module.listed[*].name
  set    = [aws_t.t["eu"].arn, "known"]
  gone   = module.gone.out
  round  = local.round
  home   = var.home
  dynamic "rule" {
    for_each = ["a", "b"]
    content {
      name = rule.value
      key  = module.keys["data"].arn
    }
  }
}
locals { round = local.round }
output "out" { value = "${aws_x.y.arn}/x" }
"""
KEYS = """
variable "name" {}
variable "size" { default = 3 }
locals { arn = aws_kms_key.k.arn }
resource "aws_kms_key" "k" {
  name = "${var.name}-${var.size}"
  tags = { none = var.none }
}
output "arn" { value = local.arn }
output "name" { value = var.name }
"""


class TestSource:
    """With the source beside it, the expressions themselves are followed."""

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Tree:
        """The configuration above."""
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys" / "main.tf").write_text(KEYS)
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "main.tf").write_text("resource {")
        (tmp_path / "main.tf").write_text(MAIN)
        module = folders.module_of(tmp_path)
        assert module is not None
        return Tree(module)

    @pytest.fixture
    def shown(self) -> Document:
        """A plan of it."""
        unknown = dict.fromkeys(("policy", "all", "every", "first", "lists", "gone", "round", "home"), True)
        rule = {"name": False, "key": True}
        return document(
            [
                change('aws_t.t["eu"]', {"name": "a"}, {"key": True, "arn": True}),
                change('aws_t.t["us"]', {"name": "b"}, {"key": True, "arn": True}),
                change(
                    "aws_x.y",
                    {"set": ["known", None], "rule": [{"name": "b"}, {"name": "a"}]},
                    {**unknown, "set": [False, True], "rule": [rule, rule]},
                ),
                change('module.keys["data"].aws_kms_key.k', {"name": "data-3"}, {"tags": True}),
                change('module.keys["app"].aws_kms_key.k', {"name": "app-3"}),
                change("module.listed[0].aws_kms_key.k", {"name": "n0-3"}),
                change("module.listed[1].aws_kms_key.k", {"name": "n1-3"}, {"name": True}),
                change("module.broken.aws_z.z", {}, {"key": True}),
            ],
            {
                "resources": [config("aws_t", "t", {}), config("aws_x", "y", {})],
                "module_calls": {
                    "broken": {"module": {"resources": [config("aws_z", "z", {"key": to("aws_q.q.id")})]}}
                },
                "outputs": {"out": {}},
            },
            providers={
                "aws.home": {"name": "aws", "alias": "home", "expressions": {"region": to("local.away")}}
            },
            variables={"home": {"value": "eu-west-9"}},
        )

    def test_they_lead_through_everything(self, shown: Document, tree: Tree) -> None:
        one = manifest(shown, tree)
        thing = one.resource("aws_x.y")
        assert thing is not None

        assert one.has_source
        assert one.resolve_names(thing.body["policy"]) == (
            '{"Resource":["${aws_t.t["eu"].arn}/index/*","${aws_t.t["us"].arn}/index/*"],'
            '"Key":"${module.keys["app"].aws_kms_key.k.arn}"}'
        )
        assert one.resolve_names(thing.body["all"]) == ['${aws_t.t["eu"].arn}', '${aws_t.t["us"].arn}']
        assert one.resolve_names(thing.body["every"]) == [
            '${module.keys["data"].aws_kms_key.k.arn}',
            '${module.keys["app"].aws_kms_key.k.arn}',
        ]
        assert thing.body["first"] == "${module.listed[1].aws_kms_key.k.arn}"
        assert one.resolve_names(thing.body["lists"]) == ["n0", "n1"]
        assert thing.body["set"] == ["known", '${aws_t.t["eu"].arn}']
        assert (thing.body["gone"], thing.body["round"]) == ("${module.gone.out}", "${local.round}")
        assert thing.body["home"] == "eu-west-9"
        assert thing.body["rule"] == [
            {"name": "b", "key": '${module.keys["data"].aws_kms_key.k.arn}'},
            {"name": "a", "key": '${module.keys["data"].aws_kms_key.k.arn}'},
        ]

    def test_each_resource_has_its_file_and_line(self, shown: Document, tree: Tree, tmp_path: Path) -> None:
        one = manifest(shown, tree)

        assert {each.address: each.source for each in one.resources if each.source[0]} == {
            'aws_t.t["eu"]': (str(tmp_path / "main.tf"), 20),
            'aws_t.t["us"]': (str(tmp_path / "main.tf"), 20),
            "aws_x.y": (str(tmp_path / "main.tf"), 25),
            'module.keys["data"].aws_kms_key.k': (str(tmp_path / "keys/main.tf"), 5),
            'module.keys["app"].aws_kms_key.k': (str(tmp_path / "keys/main.tf"), 5),
            "module.listed[0].aws_kms_key.k": (str(tmp_path / "keys/main.tf"), 5),
            "module.listed[1].aws_kms_key.k": (str(tmp_path / "keys/main.tf"), 5),
        }

    def test_in_a_module_names_are_those_of_its_caller(self, shown: Document, tree: Tree) -> None:
        one = manifest(shown, tree)
        first, data = (
            one.resource("module.listed[1].aws_kms_key.k"),
            one.resource('module.keys["data"].aws_kms_key.k'),
        )
        assert first is not None
        assert data is not None

        assert first.text("name") == "n1-3"
        assert data.raw("tags.none") == "${var.none}"

    def test_a_module_that_cannot_be_read_is_followed_by_its_references(
        self, shown: Document, tree: Tree
    ) -> None:
        found = manifest(shown, tree).resource("module.broken.aws_z.z")

        assert found is not None
        assert found.body == {"key": "${module.broken.aws_q.q.id}"}

    def test_locals_of_a_provider_and_outputs_are_known(self, shown: Document, tree: Tree) -> None:
        one = manifest(shown, tree)

        assert one.providers[0].region == "eu-central-1"
        assert one.outputs[0].block.body == {"value": "${aws_x.y.arn}/x"}

    def test_modules_lie_where_terraform_has_put_them(
        self, shown: Document, tree: Tree, tmp_path: Path
    ) -> None:
        installed = tmp_path / "elsewhere"
        (tmp_path / "keys").rename(installed)
        (tmp_path / ".terraform" / "modules").mkdir(parents=True)
        listed = {"Modules": [{"Key": "keys", "Dir": "elsewhere"}, {"Key": "listed", "Dir": "elsewhere"}]}
        (tmp_path / ".terraform" / "modules" / "modules.json").write_text(json.dumps(listed))

        found = manifest(shown, Tree(tree.root)).resource("aws_x.y")

        assert found is not None
        assert found.body["first"] == "${module.listed[1].aws_kms_key.k.arn}"

    def test_another_configuration_is_not_used(self, shown: Document, tmp_path: Path) -> None:
        (tmp_path / "main.tf").write_text('resource "aws_x" "y" {}\n')
        module = folders.module_of(tmp_path)
        assert module is not None

        assert not manifest(shown, Tree(module)).has_source

    def test_names_that_double_each_other_do_not_grow_without_end(self, tmp_path: Path) -> None:
        lines = [f'n{number} = "${{local.n{number + 1}}}${{local.n{number + 1}}}"' for number in range(60)]
        text = "locals {\n" + "\n".join(lines) + '\nn60 = "${aws_z.z.id}"\n}\n'
        (tmp_path / "main.tf").write_text(text + 'resource "aws_x" "y" {\n  key = local.n0\n}\n')
        module = folders.module_of(tmp_path)
        assert module is not None
        shown = document(
            [change("aws_x.y", {}, {"key": True})],
            {"resources": [config("aws_x", "y", {"key": to("local.n0")})]},
        )

        found = manifest(shown, Tree(module)).resources[0].body["key"]

        assert isinstance(found, str)
        assert len(found) < 2_000_000


def refusal(text: str, tmp_path: Path) -> str:
    """The sentence with which a file is refused."""
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(EnvironmentUnusable) as caught:
        plan.read(reading.read_plan(file), str(file), tmp_path)
    assert caught.value.hint
    return caught.value.what.replace(str(file), "plan.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "plan.json is empty."),
        ("{", "plan.json is no JSON (line 1). It seems to be cut off."),
        ('{"format_version": "1.2", "planned', "plan.json is no JSON (line 1). It seems to be cut off."),
        ("what", "plan.json is no JSON (line 1)."),
        ('{"a": ' + "9" * 5000 + "}", "plan.json is no JSON (a number)."),
        ('{"@level":"info"}\n{"@level":"info"}\n', "plan.json is a log of Terraform's, not a plan."),
        ("[" * 100_000, "plan.json is nested too deeply to be read."),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "plan.json is nested too deeply to be read."),
        ("[]", "plan.json is a list, not a plan."),
        ("{}", "plan.json is no plan of Terraform's."),
        ('{"resource": {}}', "plan.json is a configuration, not a plan."),
        ('{"version": 4, "serial": 1, "lineage": "x", "resources": []}', "plan.json is a state, not a plan."),
        ('{"format_version": "1.0", "values": {}}', "plan.json shows a state, not a plan."),
        (
            '{"format_version": "2.0", "planned_values": {}}',
            "has the format version 2.0; payinfra reads 1.x.",
        ),
        (
            '{"format_version": "0.2", "resource_changes": []}',
            "has the format version 0.2; payinfra reads 1.x.",
        ),
        ('{"planned_values": {}}', "has the format version none; payinfra reads 1.x."),
        (
            '{"format_version": "1.2", "planned_values": {}, "errored": true}',
            "is a plan that ended with an error.",
        ),
        ('{"format_version": "1.2", "resource_changes": 3}', "has a number where it has a list always"),
        ('{"format_version": "1.2", "resource_changes": ["x"]}', "has text where it has an object always"),
        (
            '{"format_version": "1.2", "resource_changes": [], "configuration": 1}',
            "has a number where it has an",
        ),
    ],
)
def test_what_is_no_plan_is_said_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    what = refusal(text, tmp_path)

    assert said in what
    assert "\n" not in what


def test_a_saved_plan_as_terraform_keeps_it_is_known(tmp_path: Path) -> None:
    file = tmp_path / "plan.out"
    file.write_bytes(b"PK\x03\x04\xff\xfe\x00")

    with pytest.raises(
        EnvironmentUnusable, match="is a saved plan as Terraform keeps it, not JSON"
    ) as caught:
        reading.read_plan(file)
    assert "terraform show -json" in caught.value.hint


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="No such file") as caught:
        reading.read_plan(tmp_path / "none")
    assert "terraform show -json" in caught.value.hint


def test_a_plan_that_powershell_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes('{"format_version": "1.2", "planned_values": {}}'.encode("utf-16"))

    assert reading.read_plan(file)["format_version"] == "1.2"


def test_a_document_that_is_no_object_is_no_plan() -> None:
    with pytest.raises(EnvironmentUnusable, match=r"the plan is no plan of Terraform's"):
        Manifest.of_plan(None, name="the plan")


def test_what_a_plan_should_not_say_does_not_stop_it() -> None:
    shown = document(
        [
            change("aws_x.y", {"list": ["a", 1, True], "map": {"k": None, "e": [], "n": 2}}, {"odd": True}),
            change("aws_x.z", {"rule": [{"on": True, "ids": ["b", "a"]}]}, {"rule": [{"key": True}]}),
        ],
        {
            "resources": [
                config(
                    "aws_x",
                    "y",
                    {"list": {"constant_value": ["a"]}, "map": {"constant_value": {"n": 2}}, "odd": 3},
                ),
                config(
                    "aws_x",
                    "z",
                    {
                        "rule": [
                            {
                                "on": {"constant_value": True},
                                "ids": {"constant_value": ["a", "b"]},
                                "inner": [{}],
                                "key": {
                                    "a": {"references": ["aws_k.k.id"]},
                                    "b": [{"constant_value": 1}],
                                    "c": {},
                                },
                            }
                        ]
                    },
                ),
            ]
        },
    )

    assert body(shown, "aws_x.y") == {"list": ["a", 1, True], "map": {"n": 2}}
    assert body(shown, "aws_x.z")["rule"] == [
        {
            "on": True,
            "ids": ["b", "a"],
            "key": {"a": "${aws_k.k.id}", "b": [1], "c": "${known_after_apply()}"},
        }
    ]


def test_a_module_whose_address_is_none_is_the_root(tmp_path: Path) -> None:
    one = change("aws_x.y", {}, {"key": True}) | {"module_address": "nonsense"}
    (tmp_path / "main.tf").write_text('resource "aws_x" "y" {\n  key = aws_k.k.id\n}\n')
    module = folders.module_of(tmp_path)
    assert module is not None
    shown = document([one], {"resources": [config("aws_x", "y", {"key": to("aws_k.k.id")})]})

    assert manifest(shown).resources[0].body == {}
    assert len(manifest(shown, Tree(module)).resources) == 1


ODD = """
resource "aws_x" "y" {
  lifecycle { prevent_destroy = true }
  open    = "${"
  missing = module.m
  every   = module.m[*].none
  whole   = module.m["a"]
  none    = module.m["z"].out
  circle  = module.m["a"].round
  counted = aws_c.c
  data    = data.aws_d.d.id
  wrong   = local.gone
  text    = aws_c.c[0].name
  set     = local.set
}
resource "aws_c" "c" {
  count = 2
  flag  = true
}
data "aws_d" "d" {}
locals { set = ["${aws_c.c[0].id}"] }
module "m" {
  source   = "./m"
  for_each = { a = 1 }
}
"""
INNER = """
locals { round = local.back }
locals { back = local.round }
variable "unset" {}
resource "aws_i" "i" { key = var.unset }
output "out" { value = 1 }
output "round" { value = local.round }
output "none" {}
"""


def test_what_leads_nowhere_is_left_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "main.tf").write_text(INNER)
    (tmp_path / "main.tf").write_text(ODD.replace('  open    = "${"\n', ""))
    module = folders.module_of(tmp_path)
    assert module is not None
    names = ("missing", "every", "whole", "none", "circle", "counted", "data", "wrong")
    shown = document(
        [
            change("aws_x.y", {"text": "n", "set": [None]}, {**dict.fromkeys(names, True), "set": [True]}),
            change("aws_c.c[0]", {"flag": True}),
            change("aws_c.c[1]", {"flag": True}),
            change('module.m["a"].aws_i.i', {}, {"key": True}),
        ],
        {"resources": [config("aws_x", "y", {}), config("aws_c", "c", {}), config("data.aws_d", "d", {})]},
        providers={"aws.none": {"name": "aws", "alias": "none", "expressions": {"region": to("local.gone")}}},
    )
    one = manifest(shown, Tree(module))
    found = one.resource("aws_x.y")
    inner = one.resource('module.m["a"].aws_i.i')
    assert found is not None
    assert inner is not None

    assert {name: found.body[name] for name in names} == {
        "missing": "${{a = {out = 1, round = local.round}}}",
        "every": "${module.m[*].none}",
        "whole": "${{out = 1, round = local.round}}",
        "none": '${module.m["z"].out}',
        "circle": "${local.round}",
        "counted": "${[aws_c.c[0], aws_c.c[1]]}",
        "data": "${data.aws_d.d.id}",
        "wrong": "${local.gone}",
    }
    assert found.raw("lifecycle.prevent_destroy") is True
    assert found.texts("set") == ("${aws_c.c[0].id}",)
    assert inner.body == {"key": "${var.unset}"}
    assert [each.address for each in one.referents(found, "text")] == ["aws_c.c[0]"]


KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/5a"


def standing(references: Document, *, name: str = "pay", policy: str | None = None) -> Document:
    """A plan that changes nothing: all values are known, those that were given while applying too."""
    said = json.dumps({"Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY_ARN}})
    return document(
        [
            change("aws_kms_key.k", {"arn": KEY_ARN, "id": "5a", "flag": True}, actions=["no-op"]),
            change("aws_p.p", {"policy": policy or said, "name": name}, actions=["no-op"]),
        ],
        {
            "resources": [
                config("aws_kms_key", "k", {}),
                config("aws_p", "p", {"policy": references, "name": {}}),
            ]
        },
    )


@pytest.mark.parametrize(
    "references",
    [
        to("aws_kms_key.k.arn", "aws_kms_key.k"),
        {
            "constant_value": '${jsonencode({Statement = {Effect = "Allow", Action = "kms:Decrypt", '
            "Resource = aws_kms_key.k.arn}})}",
            "references": ["aws_kms_key.k.arn", "aws_kms_key.k"],
        },
    ],
)
def test_what_stands_speaks_of_the_same_resources_as_what_is_new(references: Document) -> None:
    one = manifest(standing(references))
    key, policy = one.resources
    read = policy.policy("policy")

    assert isinstance(read, PolicyDocument)
    assert read.statements[0].resources == ("${aws_kms_key.k.arn}",)
    assert one.referents(policy, "policy") == (key,)
    assert KEY_ARN in str(policy.text("policy"))
    assert one.resolve(policy.body["policy"]) == policy.text("policy")
    assert one.resolve({"a": policy.body["policy"]}) == {"a": policy.text("policy")}


def test_an_expression_that_is_not_evaluated_here_has_terraforms_value() -> None:
    expression = {"constant_value": "${templatefile(aws_kms_key.k.id)}", "references": ["aws_kms_key.k.id"]}

    read = manifest(standing(expression)).resources[1].policy("policy")

    assert isinstance(read, PolicyDocument)
    assert read.statements[0].resources == (KEY_ARN,)


@pytest.mark.parametrize(
    "reference",
    ["aws_kms_key.k.flag", "aws_kms_key.k.none", "aws_kms_key.gone.arn", "aws_kms_key.k.a.b", "local.x"],
)
def test_a_reference_without_a_known_text_leaves_the_value_as_it_is(reference: str) -> None:
    policy = manifest(standing(to(reference))).resources[1]

    assert KEY_ARN in str(policy.template("policy"))


def test_a_short_value_is_a_reference_only_as_a_whole() -> None:
    inside = manifest(standing(to("aws_kms_key.k.id", "aws_kms_key.k"), policy="a 5a b")).resources[1]
    whole = manifest(standing(to("aws_kms_key.k.id", "aws_kms_key.k"), policy="5a")).resources[1]

    assert inside.template("policy") == "a 5a b"
    assert whole.template("policy") == "${aws_kms_key.k.id}"
