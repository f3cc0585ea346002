"""Settings of TaskHub, read from the environment; the README's table names each variable."""

import contextlib
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from taskhub import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent

# Where everything the running system writes lives

DATA_DIR = Path(env.text("TASKHUB_DATA_DIR", str(BASE_DIR / "var"))).expanduser().resolve()
TEMPORARY_DIR = DATA_DIR / "tmp"
OUTBOX_DIR = DATA_DIR / "outbox"
try:
    for folder in (DATA_DIR, DATA_DIR / "files", DATA_DIR / "clusters", TEMPORARY_DIR):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"TASKHUB_DATA_DIR: {DATA_DIR} cannot be used: {error.strerror}.") from error


def kept_secret(path: Path) -> str:
    """The secret key of this installation: made once, readable by its owner only."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        # A link is made whole or not at all: of two processes that start at the same moment, one makes the key.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


# Core settings

VERSION = "1.0.0"
SECRET_KEY = env.text("TASKHUB_SECRET_KEY") or kept_secret(DATA_DIR / "secret_key")
DEBUG = env.flag("TASKHUB_DEBUG")
ACCESS = env.one_of("TASKHUB_ACCESS", "local", "login")
ALLOWED_HOSTS = env.texts("TASKHUB_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.texts("TASKHUB_TRUSTED_ORIGINS")
EXTRA_APPS = env.texts("TASKHUB_APPS")

INSTALLED_APPS = [
    "tasks",  # before django_q: our `qcluster` command wins
    "tasks.adminsite.HubAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_q",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "corsheaders",
    "django_tasks",
    "knox",
    "axes",
    "tasks.accounts",
    *EXTRA_APPS,
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tasks.middleware.RequestIdMiddleware",
    "tasks.middleware.NulMiddleware",
    "tasks.middleware.PrivateMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "tasks.middleware.UnfinishedMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "tasks.access.AccessMiddleware",  # before what asks for the host: a wrong one gets a sentence
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tasks.middleware.VisibleMiddleware",
    "tasks.web.errors.UnavailableMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "taskhub.urls"
WSGI_APPLICATION = "taskhub.wsgi.application"
# Each path of the API answers with and without a trailing slash, without a redirect: the URLs say so themselves.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tasks.web.shell.shell",
            ],
        },
    },
]

# Database

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": env.database("DATABASE_URL", DATA_DIR / "taskhub.sqlite3")}
# Connections are kept; a request checks that its connection still lives.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    database_file = Path(DATABASES["default"]["NAME"])
    if database_file.is_absolute():  # ":memory:" is none
        # Else it was readable for every account of the machine. What SQLite puts beside it takes after it.
        with contextlib.suppress(OSError):
            database_file.touch(mode=0o600)
    DATABASES["default"]["OPTIONS"] = {
        # IMMEDIATE: a transaction that reads first could not upgrade to writing, whatever the timeout.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864;"
            "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;"
        ),
    }
else:
    DATABASES["default"]["OPTIONS"] = {
        # A server that is cut off is noticed within half a minute; DATABASE_URL may say otherwise.
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "prepare_threshold": 5,  # lets the engine prepare its statements; Django's own bind on this side
    } | DATABASES["default"].get("OPTIONS", {})

# What is remembered for a while

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # What all web processes of this machine must count together.
    "shared": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": DATA_DIR / "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

# Signing in

ADMIN_EMAIL = env.text("TASKHUB_ADMIN_EMAIL")
ADMIN_PASSWORD = env.text("TASKHUB_ADMIN_PASSWORD")
LOGIN_URL = "account:sign_in"
LOGIN_REDIRECT_URL = "tasks:list"
LOGOUT_REDIRECT_URL = "account:sign_in"
AUTHENTICATION_BACKENDS = ["tasks.accounts.backends.LimitedAttempts", "tasks.accounts.backends.Permissions"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# By name and address together: a stranger who guesses does not lock the person out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "tasks.accounts.backends.client_address"
AXES_LOCKOUT_CALLABLE = "tasks.web.account.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are in the audit already
AXES_VERBOSE = False
KNOX_TOKEN_MODEL = "accounts.Token"  # noqa: S105 - a model's name
MIGRATION_MODULES = {"knox": None}  # its own table would stand beside ours, unused

# Passwords and sessions

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# Security

HTTPS = env.flag("TASKHUB_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
CSRF_FAILURE_VIEW = "tasks.web.errors.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}

# Languages and time

LANGUAGE_CODE = env.one_of("TASKHUB_LANGUAGE", "en", "de")
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
# The texts of the templates, which belong to no app, are translated beside those of tasks.
LOCALE_PATHS = [BASE_DIR / "tasks" / "locale"]
TIME_ZONE = env.time_zone("TASKHUB_TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

# Files

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    # No base_url: uploads and results are reached through views that know their owner, never by a public address.
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": DATA_DIR / "files",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "taskhub.staticfiles.StaticFilesStorage"},
}
MAX_UPLOAD_BYTES = env.number("TASKHUB_MAX_UPLOAD_MB", 2048, least=1) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = str(TEMPORARY_DIR)
FILE_UPLOAD_HANDLERS = [
    "tasks.uploads.LimitedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# For each person of a hub that people sign in to; 0: no limit
MAX_PENDING = env.number("TASKHUB_MAX_PENDING", 100_000)
MAX_STORED_BYTES = env.number("TASKHUB_MAX_STORED_MB", 10_240) * 1024 * 1024

# E-mail: a campaign goes to the outbox folder until a mail server is named.

MAIL_SERVER_SET = "EMAIL_URL" in os.environ
if MAIL_SERVER_SET:
    vars().update(env.mail_server("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(OUTBOX_DIR)
EMAIL_TIMEOUT = env.number("TASKHUB_EMAIL_TIMEOUT", 30, least=1)
MAX_RECIPIENTS = env.number("TASKHUB_MAX_RECIPIENTS", 10_000, least=1)
DEFAULT_FROM_EMAIL = env.text("TASKHUB_EMAIL_FROM", "TaskHub <taskhub@localhost>")

# What task types may reach

COMMANDS = env.texts("TASKHUB_COMMANDS")  # management commands that may be run as tasks
HTTP_ALLOW_PRIVATE = env.flag("TASKHUB_HTTP_ALLOW_PRIVATE")
HTTP_PORTS = env.numbers("TASKHUB_HTTP_PORTS", "80,443", least=1, most=65_535)

# The engine

WORKERS = env.number("TASKHUB_WORKERS", 2, least=1)
QUEUES = env.texts("TASKHUB_QUEUES")  # none named: all
HOST = env.text("TASKHUB_HOST")
LEASE = env.number("TASKHUB_LEASE", 15, least=1, kind=float)
SHUTDOWN_GRACE = env.number("TASKHUB_SHUTDOWN_GRACE", 25, kind=float)
WORKER_MAX_RSS_MB = env.number("TASKHUB_WORKER_MAX_RSS", 1024, least=64)
DUCKDB_MEMORY_MB = env.number("TASKHUB_DUCKDB_MEMORY", 512, least=64)
KEEP_DAYS = env.number("TASKHUB_KEEP_DAYS", 0, most=36_500)  # 0: for ever

Q_CLUSTER = {
    "name": "taskhub",
    "broker_class": "tasks.engine.broker.TaskBroker",
    "workers": WORKERS,
    "timeout": -1,  # no SIGALRM: the sentinel keeps the time
    "retry": 86_400,  # unused, and large: a stock cluster started by mistake must repeat nothing
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "scheduler": False,
    "recycle": 10**12,  # by memory instead: see tasks/engine/worker.py
    "daemonize_workers": False,  # a handler may start processes of its own
    "log_level": "WARNING",
}

# Django's Tasks framework: functions decorated with `@task`

TASKS: dict[str, dict[str, Any]] = {"default": {"BACKEND": "tasks.backend.TaskHubBackend", "QUEUES": []}}

# The API

# Pages of these origins may call the API from a browser, with a token; without any, none may.
CORS_ALLOWED_ORIGINS = env.texts("TASKHUB_CORS_ORIGINS")
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key"]
CORS_EXPOSE_HEADERS = ["link", "retry-after", "idempotency-replayed", "x-request-id"]
WEB_THREADS = 8  # of each web process: see taskhub/gunicorn.py
REQUESTS_PER_MINUTE = env.number("TASKHUB_REQUESTS_PER_MINUTE", 6000)
REST_FRAMEWORK = {
    "DEFAULT_THROTTLE_CLASSES": ["tasks.api.throttles.PerMinute"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tasks.access.LocalAuthentication",
        "tasks.accounts.tokens.TokenAuthentication",
        "tasks.access.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "tasks.api.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tasks.api.renderers.JSONUnlessAsked",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.MultiPartParser", "tasks.api.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "tasks.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TaskHub",
    "DESCRIPTION": "One place for background work.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "PREPROCESSING_HOOKS": ["tasks.api.schemas.without_slashes"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tasks.api.schemas.with_task_types",
    ],
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "tasks.models.Status.choices",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Logging

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "tasks.middleware.RequestIdFilter"}},
    "formatters": {
        "line": {
            "()": "tasks.masking.MaskedFormatter",
            "fmt": "{asctime} {levelname} {name} [{request_id}]: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "tasks": {"level": env.one_of("TASKHUB_LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")},
        "django-q": {"level": "WARNING"},
    },
}
