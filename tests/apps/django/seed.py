"""What the admin holds at the start: the account of the tests and three categories."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (needs the set-up above)

from library.models import Category  # noqa: E402

accounts = get_user_model()
account = accounts.objects.filter(username="qa").first() or accounts(username="qa")
account.is_staff = account.is_superuser = True
account.set_password(os.environ["HAETAE_APP_PASSWORD"])
account.save()

for name in ["Guides", "News", "Reviews"]:
    Category.objects.get_or_create(name=name)
