"""Settings, every one from the environment or ``var/aviary.env``; a bad one stops the start."""

import gc
import os
from pathlib import Path

import environ

from portal.lib import env as settings_env
from portal.lib.api.enums import ENUM_NAMES
from portal.lib.env import BASE_DIR, SettingError
from portal.settings_signin import *  # noqa: F403 - apart from these, see there

# Looking for garbage among all that is loaded now would take a fifth of the time of a start. It
# begins when flags.apps is ready.
gc.disable()
settings_env.load_file()
env = environ.Env()
VAR_DIR = settings_env.var_dir()
DEBUG = settings_env.switch("DEBUG")
DEMO = os.environ.get("AVIARY_DEMO", "1") != "0"
# How many proxies in front of the portal add to X-Forwarded-For.
PROXIES = settings_env.whole_number("AVIARY_PROXIES", 0, most=10)
HTTPS = settings_env.switch("AVIARY_HTTPS")

ALLOWED_HOSTS = env.list("AVIARY_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DATABASE = settings_env.database(f"sqlite:///{VAR_DIR / 'aviary.sqlite3'}")
SECRET_KEY = settings_env.required("SECRET_KEY")
AUDIT_KEY = settings_env.secret_bytes("AUDIT_KEY")
AUDIT_ANCHOR_FILE = os.environ.get("AUDIT_ANCHOR_FILE") or str(VAR_DIR / "audit-anchors.jsonl")
AUDIT_ANCHOR_INTERVAL_S = settings_env.whole_number(
    "AUDIT_ANCHOR_INTERVAL_S", 10, least=5, most=86_400
)
AUDIT_ANCHOR_WEBHOOK_INTERVAL_S = settings_env.whole_number(
    "AUDIT_ANCHOR_WEBHOOK_INTERVAL_S", 300, least=5, most=86_400
)
AUDIT_ANCHOR_WEBHOOK = settings_env.web_address("AUDIT_ANCHOR_WEBHOOK")
AUDIT_ANCHOR_WEBHOOK_PRIVATE = settings_env.switch("AUDIT_ANCHOR_WEBHOOK_PRIVATE")
AUDIT_RETENTION_DAYS = settings_env.whole_number("AUDIT_RETENTION_DAYS", 0, most=36_500)
# Of the web server's threads, how many may wait for a release at a time.
RELEASE_WAITERS = settings_env.whole_number("RELEASE_WAITERS", 2, most=250)
SNAPSHOT_KEY = settings_env.secret_bytes("SNAPSHOT_KEY")
METRICS_TOKEN = settings_env.optional_secret("METRICS_TOKEN")
# Networks that probes, webhooks and routers may reach beside public addresses.
OUTBOUND_NETWORKS = settings_env.networks("AVIARY_OUTBOUND_NETWORKS")
# The runtime sockets of haproxy that setups may name; no other is ever connected to.
HAPROXY = settings_env.haproxies("AVIARY_HAPROXY")
REDIS_URL = settings_env.redis_url()
# Where people and applications reach the two servers: for links, curl lines and snippets.
PORTAL_URL = os.environ.get("PORTAL_URL") or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
EVALUATOR_URL = os.environ.get("EVALUATOR_URL") or (
    f"http://127.0.0.1:{os.environ.get('EVALUATOR_PORT', '8080')}"
)
if DEBUG and HTTPS:
    raise SettingError("DEBUG is on in a deployment served over HTTPS; unset DEBUG")

INSTALLED_APPS = [
    "portal.access",
    "portal.runs",
    "portal.audit",
    "portal.notifications",
    "portal.approvals",
    "portal.reports",
    "flags",
    "releases",
    *SIGN_IN_APPS,  # noqa: F405
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.lib.middleware.client_address",
    "portal.lib.middleware.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.lib.middleware.request_trace",
    "portal.lib.patience.shared_patience",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    *SIGN_IN_MIDDLEWARE,  # noqa: F405
    "portal.lib.web.htmx.htmx_responses",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
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
                "portal.access.web.scope.navigation",
            ],
            "builtins": ["portal.lib.templatetags.ui"],
        },
    }
]

DATABASES = {"default": DATABASE}
# How long a request waits in all for what others have locked: it answers within 5 s.
DATABASE_WAIT_S = 4
if DATABASE["ENGINE"].endswith("sqlite3"):
    # Writers queue up front instead of failing half-way; readers never wait for them (WAL).
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": DATABASE_WAIT_S,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASE["CONN_HEALTH_CHECKS"] = True
    DATABASE.setdefault("OPTIONS", {}).setdefault("connect_timeout", 3)
    DATABASE["OPTIONS"].setdefault(
        "options", f"-c statement_timeout=30s -c lock_timeout={DATABASE_WAIT_S}s"
    )
DATABASE["CONN_MAX_AGE"] = 600
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "access.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = USE_TZ = True

STATIC_URL = "static/"
NODE_MODULES = BASE_DIR / "node_modules"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "static"]
NPM = {"tabler": NODE_MODULES / "@tabler/core/dist", "uplot": NODE_MODULES / "uplot/dist"}
STATICFILES_DIRS += [(name, folder) for name, folder in NPM.items() if folder.is_dir()]
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 300

# A configuration may carry 100,000 targeting keys; anything above is refused before parsing.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

SESSION_COOKIE_NAME = "aviary_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.lib.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [PORTAL_URL] if HTTPS else []
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = CELERY_TASK_ACKS_LATE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.access.api.scope.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.lib.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.lib.api.problems.problem_response",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Aviary management API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": ["portal.lib.api.docs.finish"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": ENUM_NAMES,
}

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL = settings_env.choice("LOG_LEVEL", "INFO", LOG_LEVELS)
_LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "portal.lib.logs.LineFormatter", "fmt": _LINE}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Anchors belong into the log, however quiet it is kept.
    "loggers": {"aviary.audit": {"level": "INFO"}},
}
