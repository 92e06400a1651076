terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "name" {}
resource "aws_sqs_queue" "q" {
  name                    = var.name
  sqs_managed_sse_enabled = true
}
resource "aws_sqs_queue_policy" "q" {
  queue_url = aws_sqs_queue.q.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = "sqs:SendMessage", Resource = aws_sqs_queue.q.arn,
  Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:sns:*:111122223333:*" } } }] })
}
output "arn" { value = aws_sqs_queue.q.arn }
