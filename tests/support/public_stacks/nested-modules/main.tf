terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "n" {
  type    = number
  default = 2
}
variable "secret" {
  sensitive = true
  default   = "hush-hush-value-1"
}
provider "aws" {
  alias                       = "a"
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
provider "aws" {
  alias                       = "b"
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
module "outer" {
  source    = "./modules/pair"
  for_each  = { x = "one", y = "two" }
  providers = { aws.home = aws.a, aws.away = aws.b }
  name      = each.value
  n         = var.n
  secret    = var.secret
}
output "secrets" {
  value     = [for m in module.outer : m.secret]
  sensitive = true
}
resource "aws_iam_policy" "all" {
  provider = aws.a
  name     = "all"
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(
    [for k, m in module.outer : { Sid = k, Effect = "Allow", Action = "sqs:SendMessage", Resource = m.queues }],
    [{ Effect = "Allow", Action = "kms:Decrypt", Resource = [for m in module.outer : m.key] }])
  })
}
resource "aws_iam_policy" "merged" {
  provider = aws.a
  name     = "merged"
  policy   = data.aws_iam_policy_document.merged.json
}
data "aws_iam_policy_document" "base" {
  provider = aws.a
  statement {
    sid       = "Base"
    actions   = ["sqs:*"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "merged" {
  provider                  = aws.a
  source_policy_documents   = [data.aws_iam_policy_document.base.json]
  override_policy_documents = [jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "Base", Effect = "Allow", Action = "sqs:SendMessage", Resource = module.outer["x"].queues[0] }] })]
}
