from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from django.db.models.signals import m2m_changed, post_delete, post_save

        from portal.access.models import HELD_BY, Group
        from portal.access.subjects import SUBJECTS
        from portal.lib import held, subjects

        subjects.register(*SUBJECTS)
        for model in HELD_BY:
            post_save.connect(held.forget, sender=model, dispatch_uid="held")
            post_delete.connect(held.forget, sender=model, dispatch_uid="held")
        m2m_changed.connect(held.forget, sender=Group.members.through, dispatch_uid="held")
