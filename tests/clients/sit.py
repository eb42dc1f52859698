"""Sits an exam through the generated Python client. Usage: python sit.py URL"""

import sys

from exam_client import Client
from exam_client.api.exams import answer, complete, list_exam_types, next_, start, status
from exam_client.models import (
    AnswerReply,
    ChoiceAnswer,
    CompleteReply,
    EndedExam,
    ExamRequest,
    ExamTypesReply,
    OpenExam,
    StartReply,
    StartRequest,
    StatusReply,
)
from exam_client.types import Unset

with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as client:
    types = list_exam_types.sync(client=client)
    assert isinstance(types, ExamTypesReply), types
    name = types.exam_types[0].name
    started = start.sync(
        client=client, body=StartRequest(exam_type=name, max_items=5, student_id="ada@school"), idempotency_key="a key"
    )
    assert isinstance(started, StartReply), started
    exam, item = started.exam_session_id, started.item
    answered = 0
    while item is not None:
        standing = next_.sync(client=client, exam_session_id=exam)
        assert isinstance(standing, OpenExam) and standing.item == item, standing
        reply = answer.sync(client=client, body=ChoiceAnswer(exam_session_id=exam, item_id=item.id, choice=1))
        assert isinstance(reply, AnswerReply), reply
        item = None if isinstance(reply.item, Unset) else reply.item
        answered += 1
    assert answered == 5, answered
    ended = next_.sync(client=client, exam_session_id=exam)
    assert isinstance(ended, EndedExam) and ended.items_completed == 5, ended
    again = complete.sync(client=client, body=ExamRequest(exam_session_id=exam))
    assert isinstance(again, CompleteReply), again
    result = status.sync(client=client, exam_session_id=exam)
    assert isinstance(result, StatusReply) and result.student_id == "ada@school", result
    print(f"exam {exam}: {answered} answers, theta {result.theta}")
