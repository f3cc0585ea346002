"""A person's tokens by API."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.accounts import tokens
from tasks.accounts.models import Token
from tasks.api import examples
from tasks.api.documented import TOKEN_ID, documented
from tasks.api.serializers import MadeTokenSerializer, NewTokenSerializer, TokenSerializer
from tasks.api.tasks import person


class TokensView(APIView):
    """Your tokens."""

    @documented((200, TokenSerializer(many=True)), operation_id="listTokens", tags=["account"])
    def get(self, request: Request) -> Response:
        """Your tokens, newest first, without their texts."""
        mine = Token.objects.filter(user=person(request))
        return Response(TokenSerializer(mine, many=True).data)

    @documented(
        (201, MadeTokenSerializer),
        refused=[400, 413, 422],
        request=NewTokenSerializer,
        operation_id="makeToken",
        tags=["account"],
        examples=examples.NEW_TOKEN,
        refusals=examples.WRONG_TOKEN,
    )
    def post(self, request: Request) -> Response:
        """Make a token; this answer alone has its text."""
        wanted = NewTokenSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        token, text = tokens.make(person(request), wanted.validated_data["name"], wanted.validated_data.get("days"))
        return Response(MadeTokenSerializer(token, context={"text": text}).data, status=201)


class TokenView(APIView):
    """Revoke a token: nothing can use it any more."""

    @documented((204, None), refused=[404], parameters=[TOKEN_ID], operation_id="revokeToken", tags=["account"])
    def delete(self, request: Request, token_id: str) -> Response:
        try:
            revoked = tokens.revoke(person(request), UUID(token_id))
        except ValueError:
            revoked = False
        if not revoked:
            raise NotFound(_("There is no such token."))
        return Response(status=204)
