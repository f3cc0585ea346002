"""A person's account: sign in and out, password, tokens for their programs."""

from __future__ import annotations

import uuid
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tasks.accounts import audit, tokens
from tasks.accounts.models import Token
from tasks.web.acts import person

LIFETIMES = [(30, gettext_lazy("30 days")), (90, gettext_lazy("90 days")), (365, gettext_lazy("a year"))]


# --- sign in and out


class SignInForm(AuthenticationForm):
    """By user name, or by the e-mail address where it is one person's alone."""

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data.get("username", "")
        if "@" in given:
            names = User.objects.filter(email__iexact=given).values_list("username", flat=True)[:2]
            if len(names) == 1 and not User.objects.filter(username=given).exists():
                self.cleaned_data["username"] = names[0]
        return super().clean()

    def get_invalid_login_error(self) -> forms.ValidationError:
        """The same words whether the name, the password or neither is known."""
        credentials = {"username": self.cleaned_data["username"]}
        left = settings.AXES_FAILURE_LIMIT - AxesProxyHandler.get_failures(self.request, credentials)
        tries = ngettext("%(count)s try is left.", "%(count)s tries are left.", left) % {"count": left}
        return forms.ValidationError(f"{_('Name and password do not match.')} {tries}")


class SignInView(views.LoginView):
    template_name = "account/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


def locked_out(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """Called by django-axes in place of the sign-in page, after too many tries."""
    until = timezone.localtime(timezone.now() + settings.AXES_COOLOFF_TIME)
    context = {"locked_until": time_format(until, "H:i"), "username": request.POST.get("username", "")}
    return render(request, "account/sign_in.html", context, status=429)


class PasswordView(views.PasswordChangeView):
    template_name = "account/password.html"
    success_url = reverse_lazy("account:tokens")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        audit.changed_password(person(self.request))
        return super().form_valid(form)


# --- tokens


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100)
    days = forms.TypedChoiceField(choices=[*LIFETIMES, ("", gettext_lazy("for ever"))], coerce=int, required=False)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """One's tokens. A new one is shown in the answer that makes it, and never again."""
    form = TokenForm(request.POST or None)
    made = ""
    if form.is_valid():
        _token, made = tokens.make(person(request), form.cleaned_data["name"], form.cleaned_data["days"] or None)
    context = {
        "tokens": Token.objects.filter(user=person(request)),
        "form": form,
        "made": made,
        "lifetimes": [*LIFETIMES, ("", _("for ever"))],
        "example": f"{request.scheme}://{request.get_host()}/api/tasks/",
    }
    return render(request, "account/tokens.html", context, status=422 if form.errors else 200)


@require_POST
def revoke_token(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    if not tokens.revoke(person(request), public_id):
        raise Http404
    messages.success(request, _("The token is revoked: nothing can use it any more."))
    return redirect("account:tokens")
