"""Addresses of signing in and of one's account.

allauth's views are mounted one by one, under names that its own code looks for where it does
(``account_login``, ``mfa_authenticate``); no page of it is public that does not stand here.
"""

from django.urls import path

from portal.access.signin import account, entrance

urlpatterns = [
    path("sign-in", entrance.SignIn.as_view(), name="sign-in"),
    path("sign-in", entrance.SignIn.as_view(), name="account_login"),
    path("sign-in/code", entrance.EnterCode.as_view(), name="mfa_authenticate"),
    path("sign-in/start-over", entrance.start_over, name="sign-in-start-over"),
    path("sign-in/provider", entrance.to_provider, name="oidc-start"),
    path("sign-in/provider/callback", entrance.from_provider, name="oidc-callback"),
    path("sign-out", entrance.SignOut.as_view(), name="sign-out"),
    path("account/", account.show_account, name="account"),
    path("account/email", account.change_email, name="account-email"),
    path("account/letters", account.change_letters, name="account-letters"),
    path("account/password", account.ChangePassword.as_view(), name="password_change"),
    path("account/two-factor", account.Enrol.as_view(), name="two-factor-enrol"),
    path("account/two-factor/remove", account.remove_two_factor, name="two-factor-remove"),
    path("account/recovery-codes", account.ShowCodes.as_view(), name="recovery-codes"),
    path("account/recovery-codes/new", account.RenewCodes.as_view(), name="recovery-codes-new"),
    path("account/sessions/<int:session_id>/end", account.end_session, name="session-end"),
    path("account/sessions/end-others", account.end_other_sessions, name="session-end-others"),
    path("account/links/new", account.add_link, name="link-add"),
    path("account/links/<int:link_id>/remove", account.remove_link, name="link-remove"),
    path("account/prove-again", account.prove_again, name="prove-again"),
    path("people/", entrance.list_people, name="person-list"),
    path("people/<str:username>/", entrance.show_person, name="person"),
    path("people/<str:username>/end-sessions", entrance.end_sessions, name="person-end-sessions"),
    path("people/<str:username>/unlock", entrance.unlock, name="person-unlock"),
    path("people/<str:username>/active", entrance.set_active, name="person-active"),
    path(
        "people/<str:username>/remove-two-factor",
        entrance.remove_two_factor,
        name="person-remove-two-factor",
    ),
]
