"""Which types take tags, by the provider's schema."""

from scripts.taggable_types import taggable


def test_a_type_takes_tags_where_the_provider_merges_its_default_ones() -> None:
    def schema(*attributes: str) -> dict[str, object]:
        return {"block": {"attributes": {name: {} for name in attributes}}}

    types = {
        "aws_vpc": schema("tags", "tags_all"),
        "aws_autoscaling_group": schema("tag"),
        "aws_none": {"block": {}},
    }
    schemas = {
        "registry.terraform.io/hashicorp/random": {"resource_schemas": {"random_id": schema("tags_all")}},
        "registry.terraform.io/hashicorp/aws": {"resource_schemas": types},
    }
    assert list(taggable(schemas)) == ["aws_vpc"]
