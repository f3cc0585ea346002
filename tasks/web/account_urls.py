"""The addresses of people's accounts and of the audit."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from tasks.web import account, audit

app_name = "account"

urlpatterns = [
    path("sign-in/", account.SignInView.as_view(), name="sign_in"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("account/password/", account.PasswordView.as_view(), name="password"),
    path("account/tokens/", account.token_list, name="tokens"),
    path("account/tokens/<uuid:public_id>/revoke/", account.revoke_token, name="revoke_token"),
    path("audit/", audit.audit, name="audit"),
]
