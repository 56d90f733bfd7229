//! What the words of a report mean, for those who read one for the first time.

/// What the words of a report mean, one line each: word, English, Korean.
pub(super) const GLOSSARY: [(&str, &str, &str); 14] = [
    (
        "availability",
        "share of requests answered as expected; failed, unknown and lost ones count against it",
        "기대한 대로 응답한 요청의 비율. 실패·결과 불명·유실 요청은 모두 불리하게 셉니다",
    ),
    (
        "outage",
        "from the first failed probe to the first of 20 good ones in a row, at the front door",
        "첫 실패 프로브부터 20회 연속 성공의 첫 프로브까지",
    ),
    (
        "±",
        "the resolution: how far a span may be off, either way",
        "분해능: 길이가 앞뒤로 어긋날 수 있는 폭",
    ),
    (
        "unknown",
        "the request may have been acted upon, and no complete answer came",
        "요청이 처리되었을 수도 있으나 온전한 응답이 오지 않음",
    ),
    (
        "detection",
        "from the effect of a fault until the system itself noticed",
        "장애 발생부터 시스템이 스스로 감지할 때까지",
    ),
    (
        "failover",
        "from the effect of a fault to the last failure before it was undone",
        "장애 발생부터 원복 전 마지막 실패까지",
    ),
    (
        "recovery",
        "from the undo until no failures, all instances serving, performance as before",
        "원복 시작부터 실패가 없고 모든 인스턴스가 처리하며 성능이 이전과 같아질 때까지",
    ),
    (
        "re-admission",
        "from the instance's start to the first real request it served",
        "인스턴스 기동부터 첫 실제 요청 처리까지",
    ),
    (
        "fail-back",
        "from the undo to the last failure after it",
        "원복 시작부터 그 뒤 마지막 실패까지",
    ),
    (
        "response time",
        "from the moment a request was due: what users feel",
        "요청 예정 시각부터: 사용자가 느끼는 시간",
    ),
    ("service time", "from the moment a request was sent", "요청을 실제로 보낸 시각부터"),
    ("p99", "99 in 100 were no longer than this", "100건 중 99건이 이보다 길지 않음"),
    (
        "journey",
        "what one user does, as a sequence of steps; load is offered in journeys",
        "사용자 한 명이 하는 일련의 단계. 부하는 여정 단위로 투입합니다",
    ),
    (
        "valid second",
        "one in which the generator kept up, so that the numbers are about the system",
        "발생기가 제때 보내어 수치가 시스템에 관한 것인 1초",
    ),
];
