"""A module in HCL, planned by the real Terraform with the real provider and no credentials."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from payinfra.checks.api import CheckRequest, ShownPlan, run_checks
from payinfra.checks.manifest import Manifest
from payinfra.checks.outcome import Finding, Outcome
from payinfra.checks.verdicts import Kind
from payinfra.terraform import Terraform, find_binary
from payinfra.terraform.jsonvalue import JsonValue

PROVIDERS = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
"""
MAIN = """
variable "token" {
  sensitive = true
  default   = "whole-token-of-the-acquirer"
}
locals {
  away  = "eu-central-1"
  names = { audit = true, archive = false }
}
provider "aws" {
  alias                       = "home"
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
provider "aws" {
  alias                       = "away"
  region                      = local.away
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
module "keys" {
  source    = "./keys"
  for_each  = toset(["data", "app"])
  name      = each.key
  providers = { aws = aws.away }
}
module "buckets" {
  source    = "./buckets"
  names     = local.names
  key_arn   = module.keys["data"].arn
  providers = { aws = aws.away }
}
resource "aws_sns_topic" "topics" {
  provider          = aws.home
  for_each          = local.names
  name              = "till-${each.key}"
  kms_master_key_id = module.keys["app"].arn
}
resource "aws_iam_role" "pay" {
  provider = aws.home
  name     = "till"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}
resource "aws_iam_role_policy" "publish" {
  provider = aws.home
  role     = aws_iam_role.pay.id
  policy = jsonencode({
    Version   = "2012-10-17"
    # Every topic, by its own ARN.
    Statement = [{
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = [for topic in aws_sns_topic.topics : topic.arn]
    }]
  })
}
resource "aws_ssm_parameter" "token" {
  provider = aws.home
  name     = "/till/token"
  type     = "String"
  value    = var.token
}
"""
KEYS = """
variable "name" {}
resource "aws_kms_key" "key" {
  description         = var.name
  enable_key_rotation = true
}
output "arn" { value = aws_kms_key.key.arn }
"""
BUCKETS = """
variable "names" {}
variable "key_arn" {}
resource "aws_s3_bucket" "all" {
  for_each = var.names
  bucket   = "till-${each.key}"
}
resource "aws_s3_bucket_public_access_block" "some" {
  for_each                = { for name, closed in var.names : name => closed if closed }
  bucket                  = aws_s3_bucket.all[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_s3_bucket_server_side_encryption_configuration" "all" {
  for_each = aws_s3_bucket.all
  bucket   = each.value.id
  rule {
    apply_server_side_encryption_by_default {
      kms_master_key_id = var.key_arn
      sse_algorithm     = "aws:kms"
    }
  }
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module above."""
    root = tmp_path_factory.mktemp("module")
    for path, text in {"main.tf": MAIN, "keys/main.tf": KEYS, "buckets/main.tf": BUCKETS}.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(PROVIDERS + text)
    return root


@pytest.fixture(scope="module")
def shown(folder: Path) -> JsonValue:
    """Its plan."""
    terraform = Terraform(
        binary=find_binary(),
        folder=folder,
        data_dir=folder.with_name("data"),
        log=folder.with_name("terraform.log"),
        environment=os.environ,
    )
    terraform.init()
    return terraform.shown(terraform.plan(folder.with_name("p.tfplan")).file)


def judged(shown: JsonValue, configuration: Path | None) -> Outcome:
    """Everything that the checks say of the plan."""
    request = CheckRequest(plans=(ShownPlan("plan", shown),), configuration=configuration, env="till")
    return run_checks(request)


def by_id(outcome: Outcome, id: str) -> Mapping[str, Finding]:
    """The findings of one check, by address."""
    return {one.address: one for one in outcome.findings if one.id == id}


def test_what_each_instance_has_is_found_through_modules(shown: JsonValue, folder: Path) -> None:
    outcome = judged(shown, folder)

    blocks = by_id(outcome, "PI-S3-001")
    assert {address: one.verdict for address, one in blocks.items()} == {
        'module.buckets.aws_s3_bucket.all["archive"]': Kind.FAIL
    }
    (open_one,) = blocks.values()
    assert open_one.source_file.endswith("buckets/main.tf")
    assert open_one.source_line > 0
    assert not [one for one in by_id(outcome, "PI-S3-004").values() if one.verdict is not Kind.FAIL]
    assert not [one for one in outcome.findings if one.verdict in (Kind.UNKNOWN, Kind.ERROR)]


def test_a_key_of_another_region_is_seen_through_the_module_that_made_it(
    shown: JsonValue, folder: Path
) -> None:
    found = by_id(judged(shown, folder), "PI-REG-003")

    assert sorted(found) == ['aws_sns_topic.topics["archive"]', 'aws_sns_topic.topics["audit"]']
    assert 'module.keys["app"].aws_kms_key.key in eu-central-1' in next(iter(found.values())).message


def test_a_policy_of_what_is_not_there_yet_is_read_with_its_source_and_unknown_without(
    shown: JsonValue, folder: Path, tmp_path: Path
) -> None:
    address = "aws_iam_role_policy.publish"

    assert address not in by_id(judged(shown, folder), "PI-IAM-002")
    assert by_id(judged(shown, tmp_path), "PI-IAM-001")[address].verdict is Kind.UNKNOWN


def test_references_lead_to_the_same_resources_without_the_source(shown: JsonValue) -> None:
    manifest = Manifest.of_plan(shown, name="plan")
    audit = manifest.resource('module.buckets.aws_s3_bucket.all["audit"]')
    assert audit is not None

    attached = manifest.attached(audit, "aws_s3_bucket_public_access_block", by="bucket")

    assert [one.address for one in attached.resources] == [
        'module.buckets.aws_s3_bucket_public_access_block.some["audit"]'
    ]
    assert attached.unclear == ()


def test_what_the_plan_marks_sensitive_is_never_said(shown: JsonValue, folder: Path) -> None:
    said = "".join(f"{one.message}{one.address}" for one in judged(shown, folder).findings)

    assert "whole-token-of-the-acquirer" not in said
