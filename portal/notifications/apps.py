from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "portal.notifications"
    label = "letters"  # of the tables and migrations
    verbose_name = "Letters"
