terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region                      = "us-east-2"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "acquirer_secret" {
  type      = string
  sensitive = true
  default   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}

locals {
  hooks = {
    internal = "AWS_IAM"
    acquirer = "NONE"
  }
}

resource "aws_iam_role" "hook" {
  for_each = local.hooks
  name     = "hook-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
  inline_policy {
    name = "parameter"
    policy = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = aws_ssm_parameter.secret.arn
      }]
    })
  }
}

resource "aws_lambda_function" "hook" {
  for_each      = local.hooks
  function_name = "hook-${each.key}"
  role          = aws_iam_role.hook[each.key].arn
  handler       = "app.handler"
  runtime       = "python3.12"
  s3_bucket     = "releases.example"
  s3_key        = "hook.zip"
  environment {
    variables = {
      SIGNING_SECRET_PARAMETER = aws_ssm_parameter.secret.name
      webhookSecret            = var.acquirer_secret
    }
  }
}

resource "aws_lambda_function_url" "hook" {
  for_each           = local.hooks
  function_name      = aws_lambda_function.hook[each.key].function_name
  authorization_type = each.value
}

resource "aws_lambda_permission" "url" {
  for_each               = { for name, type in local.hooks : name => type if type == "NONE" }
  statement_id           = "url"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.hook[each.key].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_ssm_parameter" "secret" {
  name  = "/hooks/signing-secret"
  type  = "SecureString"
  value = var.acquirer_secret
}

resource "aws_ssm_parameter" "database" {
  name  = "/hooks/database"
  type  = "String"
  value = "postgres://hooks:8sPq2mZx91@db.internal:5432/hooks"
}

output "addresses" {
  value = { for name, url in aws_lambda_function_url.hook : name => url.function_url }
}
