"""Tasks and answers: nothing is lost, nothing counts twice, and nobody gets another person's task."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hcmlang.teachers.annotation.agreement import agreements
from hcmlang.teachers.annotation.assignment import IDLE, LEASE, PRESENT, Assignments, Lent, worked
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask


def verifying(number: int, needed: int = 1, author: str = "") -> AnnotationTask:
    content = {"texts": {"text": f"text {number}"}, "labels": ["negative", "positive"]}
    return AnnotationTask(f"v{number}", "verify", "crowd", content, needed, 36.0, author)


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[TaskStore]:
    with TaskStore(tmp_path / "journal.db") as made:
        yield made


def answer(
    tasks: TaskStore, key: str, who: str, label: str | None = "positive", token: str = "", seconds: float = 10
) -> str:
    return tasks.record(key, who, {"label": label}, seconds=seconds, token=token or f"{key}/{who}")


def test_an_answer_sent_twice_counts_once(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, needed=2)], {})
    assert answer(tasks, "v1", "Ada", token="a") == "saved"
    assert answer(tasks, "v1", "Ada", token="a") == "again"
    assert answer(tasks, "v1", "Ada", token="b") == "again", "nor from a second window"
    assert answer(tasks, "v1", "Grace", token="a") == "again", "a token names one piece of work"
    assert [one.annotator for one in tasks.answers("v1")] == ["Ada"]
    assert tasks.open() == {"verify": 1}


def test_a_late_answer_is_kept_and_paid_but_not_used(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1)], {})
    answer(tasks, "v1", "Ada")
    assert answer(tasks, "v1", "Grace", label="negative") == "late"
    assert [one.annotator for one in tasks.answers("v1")] == ["Ada"]
    assert answer(tasks, "nowhere", "Ada") == "unknown"
    states = tasks.rows("select annotator, state, nano_usd from people_answers order by number")
    assert states == [("Ada", "counts", 100_000_000), ("Grace", "unused", 100_000_000)]


def test_answers_cost_their_time_at_the_wage_and_imported_ones_their_pay(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, needed=2)], {})
    answer(tasks, "v1", "Ada", seconds=100)
    tasks.record("v1", "w7", {"label": "positive"}, seconds=5, token="t", usd=0.25, source="import")
    assert [one.usd for one in tasks.answers("v1")] == [1.0, 0.25]


def test_two_people_get_the_same_task_only_if_both_are_needed(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1), verifying(2, needed=2)], {})
    queue = Assignments(tasks)
    got = {name: queue.next(name) for name in ("Ada", "Grace", "Joan")}
    keys = [lent.task.key if lent else None for lent in got.values()]
    assert keys == ["v1", "v2", "v2"]
    assert queue.next("Mary") is None
    again = queue.next("Ada")
    assert again is not None
    assert again.task.key == "v1", "a reload shows the same task"


def test_an_abandoned_task_goes_to_others(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1)], {})
    now = [1000.0]
    queue = Assignments(tasks, lambda: now[0])
    queue.next("Ada")
    assert queue.next("Grace") is None
    now[0] += LEASE + 1
    assert queue.next("Grace") is not None
    queue.keep("v1", "Ada", {"label": "positive"}, 5)
    assert queue.lent("v1", "Ada") is None
    now[0] += LEASE - 1
    queue.keep("v1", "Grace", {"label": "positive"}, 5)
    now[0] += LEASE - 1
    assert queue.next("Ada") is None, "whoever types keeps the task"


def test_skipped_tasks_come_last(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1), verifying(2)], {})
    queue = Assignments(tasks)
    queue.next("Ada")
    queue.skip("v1", "Ada")
    order = []
    while (lent := queue.next("Ada")) is not None:
        order.append(lent.task.key)
        answer(tasks, lent.task.key, "Ada")
    assert order == ["v2", "v1"]


def test_annotators_get_their_own_texts_last(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, author="Ada"), verifying(2, author="Grace")], {})
    lent = Assignments(tasks).next("Ada")
    assert lent is not None
    assert lent.task.key == "v2"


def test_an_answer_can_be_undone_until_a_decision_depends_on_it(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, needed=2)], {})
    queue = Assignments(tasks)
    answer(tasks, "v1", "Ada", "negative")
    taken = queue.undo("Ada")
    assert taken is not None
    assert tasks.answers("v1") == []
    lent = queue.lent("v1", "Ada")
    assert lent is not None
    assert lent.draft == {"label": "negative"}
    answer(tasks, "v1", "Ada", "negative", token="once more")
    answer(tasks, "v1", "Grace", "positive")
    judge = queue.next("Joan")
    assert judge is not None
    assert judge.task.job == "adjudicate"
    answer(tasks, judge.task.key, "Joan", "positive")
    assert queue.undo("Ada") is None


def test_one_more_person_settles_a_disagreement(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, needed=2), verifying(2, needed=2)], {})
    for key, labels in (("v1", ("positive", "negative")), ("v2", ("negative", "negative"))):
        for who, label in zip(("Ada", "Grace"), labels, strict=True):
            answer(tasks, key, who, label)
    assert tasks.verdict("v1") is None
    verdict = tasks.verdict("v2")
    assert verdict is not None
    assert verdict[0] == "negative"
    assert tasks.open("here") == {"adjudicate": 1}
    lent = Assignments(tasks).next("Joan")
    assert lent is not None
    assert sorted(map(tuple, lent.task.content["votes"])) == [("negative", 1), ("positive", 1)]
    answer(tasks, lent.task.key, "Joan", "positive")
    settled = tasks.verdict("v1")
    assert settled is not None
    assert settled[0] == "positive"
    assert tasks.open() == {}


def test_agreement_is_krippendorffs_alpha(tasks: TaskStore) -> None:
    """Two people, four texts, one disagreement: by hand, alpha = 1 - 7 * 2 / (2 * 5 * 3) = 8/15."""
    tasks.want("here", [verifying(n, needed=2) for n in range(4)], {})
    for key, one, other in (("v0", "a", "a"), ("v1", "a", "a"), ("v2", "b", "b"), ("v3", "a", "b")):
        answer(tasks, key, "Ada", one)
        answer(tasks, key, "Grace", other)
    (found,) = agreements(tasks)
    assert (found.people, found.texts, found.disputed) == (2, 4, 1)
    assert found.alpha == pytest.approx(8 / 15)


def test_tasks_that_no_step_needs_are_not_shown(tasks: TaskStore) -> None:
    tasks.want("before", [verifying(1)], {})
    tasks.want("now", [verifying(2)], {})
    tasks.retire(["now"])
    assert tasks.open() == {"verify": 1}
    tasks.want("before", [verifying(1)], {})
    assert tasks.open() == {"verify": 2}, "and comes back when it is asked for"


def test_concurrent_annotators_lose_and_double_nothing(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(n, needed=2) for n in range(60)], {})
    queue = Assignments(tasks)

    def work(name: str) -> None:
        while (lent := queue.next(name)) is not None:
            for _ in range(2):
                answer(tasks, lent.task.key, name)

    people = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(8)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    # Whoever found nothing while others held the last tasks has gone; they come back for what was left.
    work("p0")
    work("p1")
    counts = Counter(key for (key,) in tasks.rows("select task from people_answers where state = 'counts'"))
    assert set(counts.values()) == {2}
    assert len(counts) == 60


def test_a_saved_answer_survives_a_killed_process(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with TaskStore(journal) as tasks:
        tasks.want("here", [verifying(1)], {})
    script = f"""
import os, pathlib
from hcmlang.teachers.annotation.store import TaskStore
tasks = TaskStore(pathlib.Path({str(journal)!r}))
print(tasks.record("v1", "Ada", {{"label": "positive"}}, seconds=1, token="t"), flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "saved"
    with TaskStore(journal) as tasks:
        assert [one.annotator for one in tasks.answers("v1")] == ["Ada"]


def test_counted_time_has_passed_and_excludes_idle_time() -> None:
    lent = Lent(verifying(1), since=1000.0, draft=None, seconds=20.0)
    assert worked(lent, 1100.0, "45.5") == 45.5
    assert worked(lent, 1030.0, "3600") == 30.0, "no more than there was"
    assert worked(lent, 1000.0 + 5 * IDLE, "") == 20.0 + IDLE, "a page without scripts counts nothing"
    assert worked(lent, 1030.0, "nan") == 20.0
    assert worked(lent, 1030.0, "-1") == 0.0


def test_drafts_do_not_multiply_the_counted_time(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1)], {})
    now = [1000.0]
    queue = Assignments(tasks, lambda: now[0])
    queue.next("Ada")
    for passed in (10, 20, 30):
        now[0] = 1000.0 + passed
        lent = queue.lent("v1", "Ada")
        assert lent is not None
        assert worked(lent, now[0], "3600") == passed
        queue.keep("v1", "Ada", {"label": "positive"}, worked(lent, now[0], "3600"))
    queue.release("Ada")
    now[0] += 1000
    queue.next("Ada")
    now[0] += 5
    lent = queue.lent("v1", "Ada")
    assert lent is not None
    assert worked(lent, now[0], "3600") == 35, "a break between is not counted, what was before it is"


def test_an_answer_after_its_lease_ended_has_the_time_seen_so_far(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1)], {})
    now = [1000.0]
    queue = Assignments(tasks, lambda: now[0])
    queue.next("Ada")
    queue.keep("v1", "Ada", {"label": "positive"}, 200)
    now[0] += LEASE + 1
    queue.next("Grace")
    assert queue.lent("v1", "Ada") is None
    left = queue.left("v1", "Ada")
    assert left is not None
    assert worked(left, now[0], "230") == 230
    assert worked(left, now[0], "90000") == 200 + IDLE, "nobody saw more"


def test_somebody_who_has_not_voted_settles_a_disagreement_if_available(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, needed=2, author="Mary")], {})
    now = [1000.0]
    queue = Assignments(tasks, lambda: now[0])
    for who, label in (("Ada", "negative"), ("Grace", "positive")):
        queue.next(who)
        answer(tasks, "v1", who, label)
    queue.next("Joan")
    queue.release("Joan")
    assert queue.next("Grace") is None, "the last voter waits for Joan"
    assert queue.next("Mary") is None, "and so does who wrote the text"
    lent = queue.next("Joan")
    assert lent is not None
    assert lent.task.job == "adjudicate"
    queue.release("Joan")
    now[0] += PRESENT + 1
    assert queue.next("Grace") is not None, "Joan has left"


def test_nobody_labels_their_own_text_if_somebody_else_is_available(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1, author="Ada")], {})
    queue = Assignments(tasks)
    assert queue.next("Ada") is not None, "there is nobody else"
    queue.release("Ada")
    queue.next("Grace")
    queue.release("Grace")
    assert queue.next("Ada") is None
    assert queue.next("Grace") is not None


def test_case_spaces_and_unicode_form_of_a_name_do_not_matter(tasks: TaskStore) -> None:
    queue = Assignments(tasks)
    assert queue.join("Zo\u00eb  Quinn") == "Zo\u00eb Quinn"
    for other in (" zoe\u0308 quinn ", "ZO\u00cb QUINN", "\uff3aoe\u0308\u00a0Quinn"):
        assert queue.join(other) == "Zo\u00eb Quinn"
    assert queue.join("Zoe Quinn") == "Zoe Quinn"


def test_a_refused_answer_can_be_accepted_later(tasks: TaskStore) -> None:
    tasks.want("here", [verifying(1)], {})

    def send(refused: bool) -> str:
        return tasks.record("v1", "W", {"label": "positive"}, seconds=1, token="t", usd=0.5, refused=refused)

    assert send(True) == "late"
    assert tasks.open() == {"verify": 1}
    assert send(True) == "again"
    assert send(False) == "restored"
    assert send(True) == send(False) == "again", "what is taken stays"
    assert [one.usd for one in tasks.answers("v1")] == [0.5]
    assert tasks.open() == {}
    assert tasks.rows("select count(*), sum(nano_usd) from people_answers") == [(1, 500_000_000)]
