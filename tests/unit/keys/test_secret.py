"""Secrets of API keys: random, recognised, and kept nowhere."""

from lib.core.redact import Redactor, redact
from lib.keys import secret


def test_a_secret_has_256_random_bits_in_letters_that_no_shell_changes() -> None:
    made = {secret.made() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 58 and one.removeprefix("berth-").isalnum() for one in made)
    assert all(secret.is_one(one) for one in made)


def test_what_is_kept_does_not_have_the_secret_in_it() -> None:
    made = secret.made()
    assert made.encode() not in secret.digest(made)
    assert secret.digest(made) == secret.digest(made) != secret.digest(secret.made())


def test_a_hint_shows_four_letters_of_it() -> None:
    made = secret.made()
    assert secret.hint(made) == made[:10]


def test_other_clients_dummies_are_no_keys_of_ours() -> None:
    others = ("sk-no-key-required", "not-needed", "", "berth-", "berth-" + "A" * 52, "dummy")
    assert not any(secret.is_one(one) for one in others)


def test_no_log_shows_a_secret() -> None:
    made = secret.made()
    for line in (made, f"x{{'{made}'}}", f"/v1/models?k={made}&a=b", f'"{made}"'):
        assert made not in redact(line, ())
    pieces = Redactor(())
    told = pieces.feed(f"the key is {made[:20]}".encode())
    told += pieces.feed(f"{made[20:]}\n".encode()) + pieces.flush()
    assert told == b"the key is ***\n"


def test_names_that_begin_like_a_secret_stay_legible() -> None:
    assert redact("berth-dashboard.service started", ()) == "berth-dashboard.service started"
