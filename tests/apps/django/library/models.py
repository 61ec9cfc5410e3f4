from django.db import models


class Category(models.Model):
    name = models.CharField(max_length=80, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self):
        return self.name


class Article(models.Model):
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT)
    published = models.BooleanField(default=False)
    date = models.DateField()

    class Meta:
        ordering = ["-date", "title"]

    def __str__(self):
        return self.title
