"""Letters: mail to people, written with what it tells about and sent afterwards."""

from django.apps import AppConfig


class LettersConfig(AppConfig):
    name = "portal.letters"
    label = "letters"
    verbose_name = "Letters"
