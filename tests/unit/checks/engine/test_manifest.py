"""A whole file: addresses, regions, companions, order, environment and protection."""

import json
from pathlib import Path

import pytest

from payinfra.checks.manifest import EPHEMERAL, Json, Manifest, Missing, Reference, Resource, Unresolved
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.settings import Settings

PROVIDERS: Json = [
    {"alias": "primary", "region": "us-east-1"},
    {"alias": "secondary", "region": "${local.other}"},
    {"region": "eu-west-1"},
]


def manifest(resources: Json, **more: Json) -> Manifest:
    """A manifest with the providers above."""
    root: dict[str, Json] = {"provider": {"aws": PROVIDERS}, "locals": {"other": "us-west-2"}}
    return Manifest.from_json({**root, "resource": resources, **more})


def found(of: Manifest, address: str) -> Resource:
    """The resource of that address."""
    resource = of.resource(address)
    assert resource is not None
    return resource


def test_resources_have_address_construct_and_order() -> None:
    metadata: Json = {"metadata": {"path": "stack/primary/audit", "uniqueId": "x"}}
    made = manifest(
        {"aws_s3_bucket": {"b": {"//": metadata}, "a": {}}, "aws_kms_key": {"k": {"//": {"metadata": 3}}}},
        data={"aws_region": {"here": {}}},
        output={"//": "x", "url": {"value": "v", "description": "d"}},
        module={"//": "x", "net": {"source": "./net"}},
    )

    assert [one.address for one in made.resources] == ["aws_s3_bucket.b", "aws_s3_bucket.a", "aws_kms_key.k"]
    assert [one.construct for one in made.resources] == ["stack/primary/audit", "", ""]
    assert [one.address for one in made.data] == ["data.aws_region.here"]
    assert [one.address for one in made.all("aws_kms_key", "aws_s3_bucket", "aws_none")] == [
        "aws_kms_key.k",
        "aws_s3_bucket.b",
        "aws_s3_bucket.a",
    ]
    assert made.resource("aws_s3_bucket.none") is None
    assert repr(made.resources[0]) == "<aws_s3_bucket.b>"
    assert [(one.name, one.block.text("description")) for one in made.outputs] == [("url", "d")]
    assert made.modules == ("net",)


def test_resources_may_be_lists_at_every_level() -> None:
    made = manifest([{"aws_x": [{"a": [{"n": 1}]}, {"b": {"n": 2}}]}, {"aws_y": {"c": {"n": 3}}}])

    assert [(one.address, one.get("n")) for one in made.resources] == [
        ("aws_x.a", 1),
        ("aws_x.b", 2),
        ("aws_y.c", 3),
    ]


def test_a_resource_made_zero_times_is_not_there() -> None:
    made = manifest(
        {"aws_x": {"a": {"count": 0}, "b": {"count": 1}, "c": {"count": "${var.n}"}, "d": {"count": False}}}
    )

    assert [one.name for one in made.resources] == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("body", "region"),
    [
        ({"provider": "aws.primary"}, "us-east-1"),
        ({"provider": "aws.secondary"}, "us-west-2"),
        ({"provider": "${aws.secondary}"}, "us-west-2"),
        ({}, "eu-west-1"),
        ({"region": "ap-south-1"}, "ap-south-1"),
        ({"provider": "aws.none"}, Unresolved("provider", "no provider aws.none")),
        ({"provider": 3}, Unresolved("provider", "no provider")),
        ({"provider": "${x ? ${y}}"}, Unresolved("provider", "no provider")),
        ({"region": "${var.r}"}, Unresolved("region", "region cannot be resolved here: ${var.r}")),
    ],
)
def test_a_resource_lives_where_its_provider_works(body: Json, region: object) -> None:
    made = manifest({"aws_s3_bucket": {"b": body}})

    assert [made.resources[0].region for _ in range(2)] == [region, region]


def test_a_provider_whose_region_is_not_known_has_none() -> None:
    made = manifest({"aws_x": {"a": {}}}, provider={"aws": {"region": "${var.r}"}})

    assert made.resources[0].region == Unresolved("region", "region cannot be resolved here: ${var.r}")


def test_providers_may_be_one_object_or_a_list_of_sections() -> None:
    made = manifest(
        {"aws_x": {"a": {}}},
        provider=[{"aws": {"region": "a"}}, {"//": "x", "aws": [{"alias": "two"}], "random": {}}],
    )

    assert [(one.address, one.region) for one in made.providers] == [
        ("aws", "a"),
        ("aws.two", Missing("region")),
        ("random", Missing("region")),
    ]
    assert made.providers[0].block.text("region") == "a"


@pytest.mark.parametrize(
    "root",
    [
        {"resource": 3},
        {"resource": {"aws_x": 3}},
        {"resource": {"aws_x": {"y": 3}}},
        {"provider": 3},
        {"provider": {"aws": 3}},
        {"locals": "text"},
        {"output": {"x": 3}},
        {"output": 3},
        {"module": 3},
        {"data": True},
    ],
)
def test_a_section_of_the_wrong_type_is_refused(root: dict[str, Json]) -> None:
    with pytest.raises(EnvironmentUnusable):
        Manifest.from_json(root)


def test_references_lead_to_resources_and_back() -> None:
    made = manifest(
        {
            "aws_kms_key": {"k": {}},
            "aws_s3_bucket": {"b": {"key": "${aws_kms_key.k.arn}", "tags": {"x": "${aws_none.n.id}"}}},
            "aws_sns_topic": {"t": {"key": "${local.key}"}},
        },
        locals={"key": "${aws_kms_key.k.arn}"},
        data={"aws_x": {"d": {"y": "${aws_kms_key.k.id}"}}},
    )
    key, bucket, topic = made.resources

    assert made.target(Reference("aws_kms_key.k", "arn")) is key
    assert made.target(Reference("aws_none.n", "arn")) is None
    assert made.referents(bucket) == (key,)
    assert made.referents(topic, "key") == (key,)
    assert made.referrers(key) == (bucket, topic, made.data[0])
    assert made.referrers(topic) == ()
    assert made.references("${local.key}/*") == (Reference("aws_kms_key.k", "arn"),)


def test_companions_belong_by_reference_or_by_name_or_perhaps() -> None:
    made = manifest(
        {
            "aws_s3_bucket": {"b": {"bucket": "audit"}, "c": {"bucket": "other"}},
            "aws_s3_bucket_versioning": {
                "by_id": {"bucket": "${aws_s3_bucket.b.id}"},
                "by_name": {"bucket": "audit"},
                "elsewhere": {"bucket": "${aws_s3_bucket.c.bucket}"},
                "named_elsewhere": {"bucket": "third"},
                "unknown": {"bucket": "${var.bucket}"},
                "none": {},
            },
        }
    )

    attached = made.attached(found(made, "aws_s3_bucket.b"), "aws_s3_bucket_versioning", by="bucket")

    assert [one.name for one in attached.resources] == ["by_id", "by_name"]
    assert [one.name for one in attached.unclear] == ["unknown"]


def test_a_resource_without_a_known_name_has_companions_by_reference_only() -> None:
    made = manifest({"aws_s3_bucket": {"b": {}}, "aws_s3_bucket_policy": {"p": {"bucket": "audit"}}})

    assert made.attached(made.resources[0], "aws_s3_bucket_policy", by="bucket").resources == ()


def test_what_is_made_first_follows_from_references_and_depends_on() -> None:
    made = manifest(
        {
            "aws_log": {"l": {}},
            "aws_role": {"r": {"depends_on": ["aws_log.l"]}},
            "aws_function": {"f": {"role": "${aws_role.r.arn}", "depends_on": ["${aws_function.f}"]}},
            "aws_alone": {"a": {"depends_on": 3}, "b": {"depends_on": ["aws_none.n", "aws_alone.a[0]"]}},
        }
    )
    log, role, function, alone, after = made.resources

    assert made.comes_before(log, function)
    assert made.comes_before(role, function)
    assert made.comes_before(alone, after)
    assert not made.comes_before(function, log)
    assert not made.comes_before(alone, function)


def test_attributes_that_follow_from_the_configuration_are_known() -> None:
    made = manifest(
        {
            "aws_s3_bucket": {"b": {"bucket": "audit"}},
            "aws_x": {
                "a": {
                    "id": "${aws_s3_bucket.b.id}",
                    "region": "${data.aws_region.r.name}",
                    "far": "${data.aws_region.unknown.name}",
                    "other": "${data.aws_region.r.description}",
                    "arn": "${aws_s3_bucket.b.arn}",
                    "gone": "${aws_s3_bucket.gone.id}",
                    "local": "${local.gone}",
                }
            },
        },
        data={"aws_region": {"r": {"provider": "aws.secondary"}, "unknown": {"provider": "aws.none"}}},
    )
    one = found(made, "aws_x.a")

    assert one.text("id") == "audit"
    assert one.text("region") == "us-west-2"
    for path in ("far", "other", "arn", "gone", "local"):
        assert isinstance(one.text(path), Unresolved)


def test_values_without_expressions_are_given_back_as_they_are() -> None:
    made = manifest({})

    assert made.resolve("plain") == "plain"
    assert made.resolve({"a": "${local.other}"}) == {"a": "us-west-2"}
    assert made.resolve_names(["${local.other}"]) == ["us-west-2"]


def tagged(*tags: Json, own: Json = None) -> Manifest:
    """A manifest whose providers have these default tags, and whose one resource has its own."""
    providers: Json = [{"alias": f"a{n}", "default_tags": [{"tags": one}]} for n, one in enumerate(tags)]
    return Manifest.from_json({"provider": {"aws": providers}, "resource": {"aws_x": {"y": {"tags": own}}}})


@pytest.mark.parametrize(
    ("made", "environment"),
    [
        (tagged({"EnvironmentSuffix": "pr1", "Environment": "Production"}), "pr1"),
        (tagged({"Environment": "pr2"}, {"Environment": "pr2"}), "pr2"),
        (tagged({"Owner": "x"}, own={"Environment": "pr3"}), "pr3"),
        (
            tagged({"Environment": "a"}, {"Environment": "b"}),
            Unresolved("environment", "the tag Environment is a and b"),
        ),
        (tagged({"Environment": "${var.e}"}), Unresolved("environment", "${var.e}")),
        (tagged({"Environment": 3}), Unresolved("environment", "neither a flag nor a tag names it")),
        (tagged({"Environment": ""}), Unresolved("environment", "neither a flag nor a tag names it")),
        (tagged(), Unresolved("environment", "neither a flag nor a tag names it")),
    ],
)
def test_the_environment_comes_from_the_tags(made: Manifest, environment: object) -> None:
    assert made.environment == environment


@pytest.mark.parametrize(
    ("tags", "protected"),
    [
        ({"Environment": "pr12"}, False),
        ({"Environment": "dev-anna"}, False),
        ({"Environment": "prod"}, True),
        ({"Environment": "prod", "Protected": False}, False),
        ({"Environment": "pr12", "Protected": "true"}, True),
        ({"Environment": "pr12", "Protected": True}, True),
        ({"Protected": "perhaps"}, Unresolved("protection", "the tag Protected is perhaps")),
        ({}, Unresolved("protection", "the environment is not known")),
    ],
)
def test_protection_comes_from_its_tag_or_the_environments_name(tags: Json, protected: object) -> None:
    assert tagged(tags).protected == protected


def test_flags_win_over_tags() -> None:
    root: dict[str, Json] = {"resource": {"aws_x": {"y": {"tags": {"Environment": "pr1"}}}}}

    made = Manifest.from_json(root, env="prod", protected=False)

    assert (made.environment, made.protected) == ("prod", False)
    assert Manifest.from_json(root, env="prod").protected is True


def test_the_same_names_are_ephemeral_as_in_the_settings() -> None:
    assert Settings.model_fields["ephemeral_patterns"].default == EPHEMERAL


def test_other_patterns_may_be_ephemeral() -> None:
    text = json.dumps({"resource": {"aws_x": {"y": {}}}})

    assert Manifest.parse(text, env="test1", ephemeral=("test*",)).protected is False


def test_a_file_is_loaded_with_its_own_folder(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_text('{"resource": {"aws_x": {"y": {}}}}')

    made = Manifest.load(file, env="prod")

    assert (made.file, made.folder) == (str(file), tmp_path)


def test_fifty_megabytes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    filler = "x" * 1_000_000
    resources = {f"r{number}": {"text": filler} for number in range(50)}
    file.write_text(json.dumps({"resource": {"aws_x": resources}}))

    assert len(Manifest.load(file).resources) == 50


def test_names_with_control_characters_are_kept_as_they_are() -> None:
    made = manifest({"aws_x": {"evil\x1b[31m\n": {"a": "\u202e"}}})

    assert made.resources[0].address == "aws_x.evil\x1b[31m\n"
