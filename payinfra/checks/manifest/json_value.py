"""A value of a JSON document."""

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
