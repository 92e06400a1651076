terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws.home, aws.away]
    }
  }
}
variable "name" {}
variable "n" {}
variable "secret" { sensitive = true }
module "inner" {
  source    = "./inner"
  count     = var.n
  providers = { aws = aws.away }
  name      = "${var.name}-${count.index}"
}
resource "aws_kms_key" "k" {
  provider            = aws.home
  enable_key_rotation = var.name == "one"
}
resource "aws_sqs_queue" "home" {
  provider          = aws.home
  name              = var.name
  kms_master_key_id = aws_kms_key.k.id
  redrive_policy    = jsonencode({ deadLetterTargetArn = module.inner[0].arn, maxReceiveCount = 3 })
}
resource "aws_ssm_parameter" "s" {
  provider = aws.home
  name     = "/${var.name}/token"
  type     = "String"
  value    = var.secret
}
resource "aws_lambda_function" "f" {
  provider      = aws.home
  function_name = var.name
  role          = "arn:aws:iam::111122223333:role/x"
  handler       = "a.b"
  runtime       = "python3.12"
  s3_bucket     = "releases.example"
  s3_key        = "pair.zip"
  environment { variables = { TOKEN = var.secret } }
}
output "queues" { value = concat(module.inner[*].arn, [aws_sqs_queue.home.arn]) }
output "key" { value = aws_kms_key.k.arn }
output "secret" {
  value     = var.secret
  sensitive = true
}
