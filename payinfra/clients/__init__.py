"""Every client of AWS, HTTP and DNS, with the errors they give and how calls are retried."""
