from django.db import models

from flags.models.flag import Flag
from portal.access.models import Project, User

# What people arrange for themselves around the flags, and how a project names its flags.


class Favourite(models.Model):
    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="favourites")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="favourite_flags")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "flag"], name="favourite_once")]


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Filters on saved views."""

    def seen_by(self, user: User) -> "SavedViewQuerySet":
        return self.filter(models.Q(owner=user) | models.Q(shared=True))


class SavedView(models.Model):
    """The filters of a list under a name. ``query`` is what stands in the list's address."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    shared = models.BooleanField(default=False)
    default_for = models.ManyToManyField(User, related_name="default_views", blank=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "owner", "name"], name="saved_view_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class NamingRule(models.Model):
    """What the keys of a project's new flags look like: a pattern of RE2, and a key that fits."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="naming_rule")
    pattern = models.CharField(max_length=200)
    example = models.CharField(max_length=200)
    hint = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.pattern

    @property
    def document(self) -> dict[str, object]:
        return {"pattern": self.pattern, "example": self.example, "hint": self.hint}
