"""Every URL of TaskHub."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from tasks.api import hub

# Swagger UI writes `style` elements; its script comes from its own address, as the policy asks.
swagger = SpectacularSwaggerSplitView.as_view(
    url_name="api:schema", authentication_classes=[], permission_classes=[], throttle_classes=[]
)
docs = require_safe(csp_update({"style-src": [UNSAFE_INLINE]})(swagger))
docs.login_required = True  # type: ignore[attr-defined]  # a stranger is led to the sign-in page, as from any page


def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for on pages that name no icon, such as the admin's."""
    return redirect(static("logo.svg"))


favicon.login_required = False  # type: ignore[attr-defined]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("tasks.api.urls")),
    path("docs", docs, name="docs"),
    path("docs/", docs),
    path("favicon.ico", favicon),
    path("livez", hub.livez, name="livez"),
    path("livez/", hub.livez),
    path("readyz", hub.readyz, name="readyz"),
    path("readyz/", hub.readyz),
    path("", include("tasks.web.account_urls")),
    path("", include("tasks.web.urls")),
]

handler400 = "tasks.web.errors.bad_request"
handler403 = "tasks.web.errors.forbidden"
handler404 = "tasks.web.errors.not_found"
handler500 = "tasks.web.errors.server_error"
