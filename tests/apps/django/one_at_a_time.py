"""SQLite refuses a transaction that began by reading when another one has written since."""

from threading import Lock


def middleware(get_response):
    turn = Lock()

    def answer(request):
        with turn:
            return get_response(request)

    return answer
