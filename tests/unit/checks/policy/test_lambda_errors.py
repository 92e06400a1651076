"""Whether something catches what a handler's input can raise, around where the input is read."""

import re
import textwrap

import pytest

from payinfra.checks.policy.lambda_errors import Catches, catches
from payinfra.checks.policy.lambda_source import Handler, Package

UNCAUGHT = {
    "an except around the configuration": """
        import json, os
        def load():
            try: return json.loads(os.environ["X"])
            except ValueError: return {}
        def handle(event, ctx):
            body = json.loads(event["body"])
            return {}
    """,
    "an except around AWS": """
        import json
        def handle(event, ctx):
            body = json.loads(event["body"])
            try: table.put_item(Item=body)
            except Exception as e: return {"statusCode":500}
    """,
    "reraise own": """
        import json

        class BadRequest(Exception): ...
        def parse(event):
            try: return json.loads(event["body"])
            except ValueError as e: raise BadRequest("x") from e
        def handle(event, ctx):
            body = parse(event)
            return {}
    """,
    "swallow whole": """
        import json
        def handle(event, ctx):
            try:
                body = json.loads(event["body"])
                return {"statusCode":200}
            except ValueError:
                pass
        def other():
            try: x()
            except KeyError: log()
    """,
    "suppress whole": """
        import json
        from contextlib import suppress
        def handle(event, ctx):
            with suppress(ValueError):
                body = json.loads(event["body"])
                return {"statusCode":200}
    """,
    "decorator catches KeyError": """
        import json, functools
        def safe(f):
            @functools.wraps(f)
            def inner(event, ctx):
                try: return f(event, ctx)
                except KeyError: return {"statusCode":400}
            return inner
        @safe
        def handle(event, ctx):
            return json.loads(event["body"])
    """,
    "class handler": """
        import json
        class Api:
            def handle(self, event):
                body = json.loads(event["body"])
                try: self.t.put(body)
                except ClientError: return 500
        api = Api()
        def handle(event, ctx): return api.handle(event)
    """,
    "dispatch": """
        import json
        def create(event):
            return json.loads(event["body"])
        ROUTES = {"POST": create}
        def handle(event, ctx):
            try: f = ROUTES[event["m"]]
            except KeyError: return 404
            return f(event)
    """,
    "powertools tracer": """
        import json
        @tracer.capture_lambda_handler
        @logger.inject_lambda_context(log_event=True)
        def handle(event, ctx):
            body = json.loads(event["body"])
            try: x()
            except ValueError: return 1
    """,
    "powertools route": """
        import json
        app = APIGatewayRestResolver()
        @app.post("/payments")
        def create():
            body = app.current_event.json_body
            try: x()
            except ClientError: return 1
        def handle(event, ctx): return app.resolve(event, ctx)
    """,
    "finally": """
        import json
        def handle(event, ctx):
            try: body = json.loads(event["body"])
            finally: log()
            try: x()
            except Exception: return 1
    """,
    "except in except": """
        import json
        def handle(event, ctx):
            try:
                x()
            except ValueError:
                body = json.loads(event["body"])
                return body
    """,
}
CAUGHT = {
    "plain": """
        import json
        def handle(event, ctx):
            try: body = json.loads(event["body"])
            except (ValueError, TypeError): return {"statusCode":400}
    """,
    "helper": """
        import json
        def parse(e): return json.loads(e["body"])
        def handle(event, ctx):
            try: body = parse(event)
            except json.JSONDecodeError: return {"statusCode":400}
    """,
    "reraise own caught": """
        import json

        class BadRequest(Exception): ...
        class Worse(BadRequest): ...
        def parse(event):
            try: return json.loads(event["body"])
            except ValueError as e: raise Worse("x") from e
        def handle(event, ctx):
            try: body = parse(event)
            except BadRequest: return {}
    """,
    "suppress narrow": """
        import json
        from contextlib import suppress
        def handle(event, ctx):
            body = None
            with suppress(ValueError):
                body = json.loads(event["body"])
            if body is None: return {"statusCode":400}
            try: x()
            except ClientError: return 1
    """,
    "pass narrow": """
        import json
        def parse(event):
            try: return json.loads(event["body"])
            except ValueError: pass
        def handle(event, ctx):
            if parse(event) is None: return 400
    """,
    "decorator": """
        import json, functools
        def safe(f):
            @functools.wraps(f)
            def inner(event, ctx):
                try: return f(event, ctx)
                except ValueError: return {"statusCode":400}
            return inner
        @safe
        def handle(event, ctx):
            return json.loads(event["body"])
    """,
    "decorator w args": """
        import json, functools
        def safe(status):
            def deco(f):
                @functools.wraps(f)
                def inner(*a, **k):
                    try: return f(*a, **k)
                    except Exception: return {"statusCode":status}
                return inner
            return deco
        @safe(400)
        def handle(event, ctx):
            return json.loads(event["body"])
    """,
    "wrapped": """
        import json
        def safe(f):
            def inner(*a):
                try: return f(*a)
                except Exception: return 400
            return inner
        def inner_handle(event, ctx):
            return json.loads(event["body"])
        handle = safe(inner_handle)
    """,
    "foreign": """
        import json
        from middleware import errors
        @errors
        def handle(event, ctx):
            return json.loads(event["body"])
    """,
    "dispatch": """
        import json
        def create(event):
            return json.loads(event["body"])
        ROUTES = {"POST": create}
        def handle(event, ctx):
            try:
                return ROUTES[event["m"]](event)
            except Exception: return 500
    """,
    "powertools": """
        import json
        app = APIGatewayRestResolver()
        @app.exception_handler(ValueError)
        def bad(e): return Response(400)
        @app.post("/payments")
        @tracer.capture_method
        def create():
            body = app.current_event.json_body
        def handle(event, ctx): return app.resolve(event, ctx)
    """,
    "powertools handler try": """
        import json
        app = APIGatewayRestResolver()
        @app.post("/payments")
        def create():
            body = app.current_event.json_body
        def handle(event, ctx):
            try: return app.resolve(event, ctx)
            except Exception: return 500
    """,
    "powertools BadRequest": """
        import json
        app = APIGatewayRestResolver()
        @app.post("/payments")
        def create():
            try: body = app.current_event.json_body
            except ValueError as e: raise BadRequestError("x") from e
        def handle(event, ctx):
            return app.resolve(event, ctx)
    """,
    "secret": """
        import json
        def secret():
            return json.loads(sm.get_secret_value(SecretId="x")["SecretString"])
        def handle(event, ctx):
            s = secret()
            try: x()
            except ClientError: return 1
    """,
    "decimal": """
        import json
        def handle(event, ctx):
            try: body = json.loads(event["body"])
            except ValueError: return 400
            item = json.loads(json.dumps(body), parse_float=Decimal)
    """,
    "batch": """
        import json
        def record_handler(record): return json.loads(record["body"])
        def handle(event, ctx):
            return process_partial_response(event, record_handler=record_handler, processor=p, context=ctx)
    """,
    "batch deco": """
        import json
        def record_handler(record): return json.loads(record["body"])
        @batch_processor(record_handler=record_handler, processor=p)
        def handle(event, ctx):
            return p.response()
    """,
    "cm": """
        import json
        from contextlib import contextmanager
        @contextmanager
        def errors():
            try: yield
            except ValueError as e: log(e)
        def handle(event, ctx):
            with errors():
                json.loads(event["body"])
            return 1
    """,
    "class cm": """
        import json
        class Guard:
            def __exit__(self, *a): return True
        def handle(event, ctx):
            with Guard():
                json.loads(event["body"])
            return 1
    """,
    "class": """
        import json
        class Api:
            def __init__(self): ...
            def handle(self, event):
                try: return self._do(event)
                except Exception: return 500
            def _do(self, event):
                return json.loads(event["body"])
        def handle(event, ctx): return Api().handle(event)
    """,
    "module dict lambda": """
        import json
        def create(event):
            return json.loads(event["body"])
        ROUTES = {"POST": lambda e: create(e)}
        def handle(event, ctx):
            try:
                return ROUTES[event["m"]](event)
            except Exception: return 500
    """,
    "cold start": """
        import json, pathlib
        SCHEMA = json.loads(pathlib.Path("schema.json").read_text())
        CONFIG = json.loads(os.environ["CONFIG"])
        def handle(event, ctx):
            return 1
    """,
    "middleware": """
        import json
        app = X()
        def mw(app, next_middleware):
            try: return next_middleware(app)
            except ValueError: return 400
        @app.post("/x", middlewares=[mw])
        def create(): return app.current_event.json_body
        def handle(event, ctx): return app.resolve(event, ctx)
    """,
    "add_route at import": """
        import json
        def create(event): return json.loads(event["body"])
        router.add("POST", create)
        def handle(event, ctx):
            try: return router.dispatch(event)
            except Exception: return 500
    """,
    "main": """
        import json
        def handle(event, ctx):
            try: return json.loads(event["body"])
            except ValueError: return 400
        if __name__ == "__main__":
            print(json.loads(input()))
    """,
    "getattr": """
        import json
        class Api:
            def post(self, event): return json.loads(event["body"])
        def handle(event, ctx):
            try: return getattr(Api(), event["m"])(event)
            except Exception: return 500
    """,
}


def found(source: str, **others: str) -> Catches:
    """What is found of the handler of a module, beside others."""
    sources = {f"{name}.py": textwrap.dedent(text) for name, text in {"app": source, **others}.items()}
    package = Package(sources)
    return catches(Handler("app.py", "handle", package))


@pytest.mark.parametrize("source", UNCAUGHT.values(), ids=UNCAUGHT)
def test_an_except_elsewhere_does_not_catch_what_the_input_raises(source: str) -> None:
    assert found(source).open_input


@pytest.mark.parametrize("source", CAUGHT.values(), ids=CAUGHT)
def test_what_the_input_raises_can_be_caught_in_many_places(source: str) -> None:
    assert not found(source).open_input


@pytest.mark.parametrize(
    "name", ["suppress narrow", "decorator", "foreign", "batch", "batch deco", "cm", "class cm"]
)
def test_a_handler_without_an_except_of_its_own_may_be_called_by_what_catches(name: str) -> None:
    source = re.sub(r"\n +try: x\(\)\n +except ClientError: return 1", "", CAUGHT[name])
    assert found(source).missing == ()


def test_a_batch_processor_catches_what_aws_answers() -> None:
    assert found("import boto3\n" + textwrap.dedent(CAUGHT["batch"])).missing == ()
    assert found("import boto3\ndef handle(event, ctx): x()").missing[0].startswith("errors of AWS")


SERVICE = """
    import json
    from problems import BadRequest, Problem
    def parse(event):
        try: return json.loads(event["body"])
        except ValueError as error: raise BadRequest() from error
"""


@pytest.mark.parametrize(
    ("problems", "is_open"),
    [
        ("class Problem(Exception): ...", False),
        ("", False),
        ("class Problem(Exception): ...\nclass BadRequest(Problem): ...", False),
        ("class Problem(Exception): ...\nclass BadRequest(Exception): ...", True),
    ],
)
def test_what_is_raised_instead_is_caught_as_what_it_is_a_kind_of(problems: str, is_open: bool) -> None:
    handler = """
        from service import parse
        from problems import Problem
        def handle(event, ctx):
            try: return parse(event)
            except Problem as error: return 400
    """
    assert found(handler, service=SERVICE, problems=problems).open_input is is_open


def test_a_middleware_of_all_routes_catches_for_them() -> None:
    source = textwrap.dedent(CAUGHT["middleware"]).replace(", middlewares=[mw]", "")
    assert found(source).open_input
    assert not found(f"{source}\napp.use(middlewares=[mw])").open_input


def test_a_handler_is_followed_into_its_modules() -> None:
    errors = textwrap.dedent(CAUGHT["decorator"]).partition("@safe")[0]
    handler = """
        import json
        from errors import safe
        @safe
        def handle(event, ctx): return json.loads(event["body"])
    """
    assert not found(handler, errors=errors).open_input
    assert found(handler, errors=errors.replace("ValueError", "KeyError")).open_input
