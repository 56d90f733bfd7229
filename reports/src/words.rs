//! The words of reports, in English and Korean. Names that users wrote, causes, units and the
//! objectives themselves stay as they are in every language: they are the words of the scenario.

mod glossary;

use crate::analysis::availability::{Definition, Value};
use crate::analysis::latency::Outcomes;
use crate::analysis::validity::{Invalid, Tally, Validity};
use crate::number;
use crate::objective::judge::{Doubt, Reading};
use crate::record::Latency;
use crate::verdict::{Exit, Reason, Verdict};
use crate::words::glossary::GLOSSARY;

/// The language of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

/// The text is not a language of reports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no report in `{0}`: expected `en` or `ko`")]
pub struct NotALang(String);

impl std::str::FromStr for Lang {
    type Err = NotALang;

    fn from_str(text: &str) -> Result<Self, NotALang> {
        match text {
            "en" => Ok(Self::En),
            "ko" => Ok(Self::Ko),
            _ => Err(NotALang(text.to_owned())),
        }
    }
}

/// Declares [`Words`] with its two tables side by side, so that neither lacks a word.
macro_rules! words {
    ($($name:ident: $en:literal, $ko:literal;)*) => {
        /// The fixed words of a report.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each field is its own word")]
        pub struct Words { $(pub $name: &'static str,)* }

        const EN: Words = Words { $($name: $en,)* };
        const KO: Words = Words { $($name: $ko,)* };
    };
}

words! {
    code: "en", "ko";
    objective: "objective", "목표";
    measured: "measured", "결과";
    limit: "limit", "기준";
    reading: "reading", "판정";
    objectives: "Objectives", "목표와 판정";
    no_objectives: "The scenario has no objectives.", "시나리오에 목표가 없습니다.";
    availability: "Availability", "가용성";
    of_requests: "of requests", "요청 기준";
    of_time: "of time", "시간 기준";
    downtime: "Downtime", "중단 시간 합계";
    longest_outage: "longest outage", "최장 중단";
    planned: "planned", "계획";
    unplanned: "unplanned", "비계획";
    unexplained: "unexplained", "원인 불명";
    requests: "Requests", "요청";
    ok: "ok", "정상";
    failed: "failed", "실패";
    unknown: "unknown", "결과 불명";
    own: "not sent by us", "발생기 미전송";
    dropped: "journeys dropped", "버려진 여정";
    faults: "Faults", "장애";
    fault: "fault", "장애";
    fault_kind: "what was done", "장애 방법";
    on: "on", "대상";
    begin: "begin", "시작";
    end: "end", "종료";
    length: "length", "길이";
    mark: "mark", "시각 표시";
    at: "at", "경과";
    clock: "time (UTC)", "시각 (UTC)";
    detection: "detection", "감지";
    failover: "failover", "절체";
    recovery: "recovery", "복구";
    readmission: "re-admission", "재투입";
    failback: "fail-back", "원복";
    not_failed_over: "not before the undo", "원복 전까지 절체 안 됨";
    not_seen: "not seen", "관측 안 됨";
    call: "call begins", "장애 호출";
    effective: "effective", "장애 발생";
    first_failure: "first failure a client saw", "첫 실패";
    last_failure: "last failure before the undo", "원복 전 마지막 실패";
    detected: "the system noticed", "시스템 감지";
    undo: "undo begins", "원복 시작";
    up: "instance up", "인스턴스 기동";
    healthy: "instance healthy", "인스턴스 정상 보고";
    served: "first real request served again", "실제 요청 처리 재개";
    last_failure_after: "last failure after the undo", "원복 후 마지막 실패";
    in_band: "performance back in band", "성능 회복";
    restored: "restored", "원상 복구 확인";
    since_effect: "since the effect", "발생 후 경과";
    evidence: "evidence", "발생 증거";
    not_proven: "not proven", "증거 없음";
    not_restored: "not restored", "원상 복구 실패";
    not_ok_during: "not ok until the undo", "원복 전 비정상 요청";
    not_ok_after: "not ok after the undo", "원복 후 비정상 요청";
    in_flight: "on their way at the call", "호출 시 처리 중";
    in_flight_lost: "of those not ok", "그중 비정상";
    burns: "Share of a yearly error budget that one such failure burns", "이런 장애 한 번이 쓰는 연간 오류 예산";
    outages: "Outages", "서비스 중단";
    outage: "outage", "중단";
    target: "target", "대상";
    probes_failed: "failed probes", "실패한 프로브";
    explained_by: "explained by", "원인";
    nothing: "nothing", "없음";
    no_outages: "No target failed to answer its probes.", "프로브에 응답하지 않은 대상이 없습니다.";
    latency: "Latency", "응답 시간";
    phase: "phase", "구간";
    series: "journey/step", "여정/단계";
    kind: "kind", "종류";
    outcomes: "outcomes", "결과 구분";
    count: "count", "건수";
    all_phases: "all but warm-up", "예열 제외 전체";
    all_requests: "all requests", "전체 요청";
    errors: "Errors", "오류";
    cause: "cause", "원인";
    first: "first", "최초";
    last: "last", "최후";
    sample: "example", "예";
    no_errors: "Every request was ok.", "모든 요청이 정상입니다.";
    timeline: "Timeline", "시간 흐름";
    offered: "offered", "투입";
    done_ok: "completed ok", "정상 완료";
    rate_axis: "journeys/s", "여정/초";
    error_axis: "not ok/s", "비정상/초";
    latency_axis: "response, ms", "응답, ms";
    definitions: "Availability by published definitions", "공개된 정의별 가용성";
    definition: "definition", "정의";
    value: "value", "값";
    quality: "Run quality", "측정 품질";
    invalid_seconds: "seconds that are not valid", "무효한 초";
    late_sends: "sent over 20 ms late", "20 ms 넘게 늦은 전송";
    lateness: "send lateness, p99 of the worst second / longest", "전송 지연, 최악 1초의 p99 / 최장";
    lateness_run: "send lateness over the run, p50 / p99 / p99.9", "전체 실행의 전송 지연, p50 / p99 / p99.9";
    cpu: "CPU of the busiest load thread, mean / peak second", "가장 바쁜 부하 스레드의 CPU, 평균 / 최고 1초";
    waited: "time that load threads waited for a core", "부하 스레드가 코어를 기다린 시간";
    steal: "CPU that the host took away from this machine", "호스트가 가져간 CPU 시간";
    stall: "longest standstill of an event loop", "이벤트 루프의 최장 정지";
    cpu_per_request: "CPU of the generator per request", "요청당 발생기 CPU";
    memory: "memory of the generator, settled / end / most", "발생기 메모리, 안정 후 / 종료 시 / 최대";
    descriptors: "file descriptors open, most / allowed", "열린 파일 디스크립터, 최대 / 한도";
    ports: "TCP sockets of the machine, most / local ports", "장비의 TCP 소켓, 최대 / 로컬 포트 수";
    valid: "valid", "유효";
    lateness_axis: "send lateness, ms", "전송 지연, ms";
    threads_axis: "busiest thread, %", "가장 바쁜 스레드, %";
    on_core: "has a core", "코어 사용";
    wants_core: "has or wants one", "사용 또는 대기";
    drops_own: "journeys dropped by our own doing", "발생기 탓으로 버려진 여정";
    drops_system: "journeys dropped because the system held their users", "시스템이 사용자를 붙잡아 버려진 여정";
    own_errors: "requests not sent for want of ports or descriptors", "포트·디스크립터 부족으로 미전송";
    probes_left_out: "probes left out as sent late", "늦게 보내 제외한 프로브";
    of_probes: "of", "/";
    environment: "Environment", "환경";
    events: "Event log", "사건 기록";
    event: "event", "사건";
    glossary: "Glossary", "용어";
    scenario: "Scenario", "시나리오";
    started: "started", "시작 시각";
    run: "run", "실행";
    seed: "seed", "시드";
    machine: "load machine", "부하 발생기";
    instances: "instances", "인스턴스";
    identity: "identity of the target", "대상 확인";
    no_identity: "nothing proves that the target is the system meant", "대상이 의도한 시스템이라는 증거가 없음";
    command: "command", "명령";
    version: "version", "버전";
    load: "load", "부하";
    load_engine: "load engine", "부하 엔진";
    transport: "transport", "전송 설정";
    phases: "phases", "구간";
    cut_off: "The record was cut off; bytes left unread:", "기록이 중간에 끊겼습니다. 읽지 못한 바이트:";
    left_out: "Requests not ok that are counted but not kept one by one:", "건수만 세고 개별 기록하지 않은 비정상 요청:";
    details: "Details", "상세";
    band_hint: "Shaded: fault, from call to undo. Hatched: outage at the front door. Grey: not valid.", "음영: 장애(호출~원복). 빗금: 서비스 중단. 회색: 무효한 초.";
    per_second: "Per second", "초당";
}

impl Lang {
    /// The fixed words.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Ko => &KO,
        }
    }

    fn pick(self, en: &'static str, ko: &'static str) -> &'static str {
        match self {
            Self::En => en,
            Self::Ko => ko,
        }
    }

    /// What the words of a report mean.
    pub fn glossary(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        GLOSSARY.into_iter().map(move |(word, en, ko)| (word, self.pick(en, ko)))
    }

    /// The verdict in one word.
    #[must_use]
    pub fn exit(self, exit: Exit) -> &'static str {
        match exit {
            Exit::Pass => self.pick("PASS", "적합"),
            Exit::Missed => self.pick("MISSED", "부적합"),
            Exit::Usage => self.pick("WRONG USE", "사용 오류"),
            Exit::Inconclusive => self.pick("INCONCLUSIVE", "판정 보류"),
            Exit::NotRestored => self.pick("NOT RESTORED", "원상 복구 실패"),
            Exit::Environment => self.pick("ENVIRONMENT", "환경 오류"),
            Exit::Interrupted => self.pick("INTERRUPTED", "중단됨"),
        }
    }

    /// A reading in one word.
    #[must_use]
    pub fn reading(self, reading: &Reading) -> &'static str {
        match reading {
            Reading::Met => self.pick("met", "적합"),
            Reading::Missed => self.pick("missed", "부적합"),
            Reading::Inconclusive(_) => self.pick("inconclusive", "보류"),
        }
    }

    /// The verdict in one sentence.
    #[must_use]
    pub fn sentence(self, verdict: &Verdict) -> String {
        let Self::Ko = self else {
            return verdict.sentence();
        };
        let first = self.reason(&verdict.why[0]);
        match verdict.others() {
            0 => first,
            others => format!("{first} (외 {others}건)"),
        }
    }

    /// One reason of a verdict.
    #[must_use]
    pub fn reason(self, reason: &Reason) -> String {
        let Self::Ko = self else {
            return reason.to_string();
        };
        match reason {
            Reason::NotRestored { fault, instance, reason } => {
                format!("`{fault}` 뒤에 `{instance}`이(가) 원래 상태로 돌아오지 않음: {reason}")
            }
            Reason::Interrupted(signal) => format!("{signal}(으)로 실행이 중단됨"),
            Reason::Missed { objective, measured } => {
                format!("`{objective}` 목표 미달: 결과 {measured}")
            }
            Reason::Doubtful { objective, doubt } => {
                format!("`{objective}` 판정 불가: {}", self.doubt(doubt))
            }
            Reason::Doubt(doubt) => self.doubt(doubt),
            Reason::AllMet(count) => format!("목표 {count}건을 모두 충족"),
            Reason::NoObjectives => "판정할 목표가 없음".to_owned(),
        }
    }

    /// Why the record cannot tell.
    #[must_use]
    pub fn doubt(self, doubt: &Doubt) -> String {
        let Self::Ko = self else {
            return doubt.to_string();
        };
        match doubt {
            Doubt::InvalidSeconds(tally) => {
                let share = number::percent(tally.share());
                format!("전체 초의 {share}이(가) 무효함 ({})", self.reasons(tally))
            }
            Doubt::LateProbes(share) => {
                format!("프로브의 {}이(가) 늦게 전송됨", number::percent(*share))
            }
            Doubt::NotProven(fault, why) => {
                format!("장애 `{fault}`이(가) 실제로 일어났다는 증거가 없음 ({why})")
            }
            Doubt::CutOff => "기록이 중간에 끊김".to_owned(),
            Doubt::TooFew(have, need) => {
                let (have, need) = (number::count(*have), number::count(*need));
                format!("표본 부족: {have}건, {need}건 필요")
            }
            Doubt::TooShort => "판정하기 전에 기록이 끝남".to_owned(),
            Doubt::NothingRecorded => "이 구간에 해당 기록이 없음".to_owned(),
        }
    }

    /// Why a second is not valid.
    #[must_use]
    pub fn invalid(self, why: Invalid) -> &'static str {
        let Self::Ko = self else {
            return why.words();
        };
        match why {
            Invalid::Unmeasured => "측정되지 않음",
            Invalid::Starved => "발생기 CPU가 모자라 여정을 버림",
            Invalid::Own => "포트·디스크립터 부족으로 보내지 못함",
            Invalid::Stalled => "발생기가 100 ms 넘게 멈춤",
            Invalid::Late => "전송의 1 % 넘게 20 ms 이상 늦음",
        }
    }

    fn reasons(self, tally: &Tally) -> String {
        let seconds = self.pick("s", "초");
        let reasons = tally.invalid.iter();
        let reasons =
            reasons.map(|(why, count)| format!("{count} {seconds}: {}", self.invalid(*why)));
        reasons.collect::<Vec<_>>().join("; ")
    }

    /// Whether the seconds that count can be trusted, in one sentence.
    #[must_use]
    pub fn quality(self, tally: &Tally) -> String {
        let all = number::count(tally.seconds);
        let invalid = number::count(tally.invalid());
        let reasons = self.reasons(tally);
        match (self, tally.seconds, tally.invalid()) {
            (Self::En, 0, _) => "No second was recorded that could be trusted or not.".to_owned(),
            (Self::Ko, 0, _) => "믿을 수 있는지 따질 기록이 없습니다.".to_owned(),
            (Self::En, _, 0) => format!(
                "This run can be trusted: the generator kept up in all of the {all} seconds that \
                count."
            ),
            (Self::Ko, _, 0) => {
                format!(
                    "이 실행은 믿을 수 있습니다: 판정 대상 {all}초 내내 발생기가 제때 보냈습니다."
                )
            }
            (Self::En, ..) if tally.is_sound() => format!(
                "This run can be trusted: the generator kept up in all but {invalid} of the {all} \
                seconds that count ({reasons})."
            ),
            (Self::Ko, ..) if tally.is_sound() => format!(
                "이 실행은 믿을 수 있습니다: 판정 대상 {all}초 중 {invalid}초만 무효합니다 ({reasons})."
            ),
            (Self::En, ..) => format!(
                "{invalid} of {all} seconds are not valid: {reasons}. What leans on them cannot be \
                judged."
            ),
            (Self::Ko, ..) => format!(
                "{all}초 중 {invalid}초가 무효합니다: {reasons}. 이에 근거한 목표는 판정할 수 없습니다."
            ),
        }
    }

    /// That the load was as fast as the generator could make it, where it was.
    #[must_use]
    pub fn limiting(self, validity: &Validity) -> Option<String> {
        let share = number::percent(validity.wanted_mean);
        let told = match self {
            Self::En => format!(
                "The busiest load thread had or wanted a core {share} of the time: rates and \
                latencies of users in a closed model are the generator's as much as the system's."
            ),
            Self::Ko => format!(
                "가장 바쁜 부하 스레드가 전체 시간의 {share} 동안 코어를 쓰거나 기다렸습니다: 폐쇄형 부하의 \
                처리율과 응답 시간에는 발생기의 한계가 섞여 있습니다."
            ),
        };
        validity.is_limiting().then_some(told)
    }

    /// The name of a definition of availability.
    #[must_use]
    pub fn definition(self, definition: Definition) -> &'static str {
        match definition {
            Definition::Requests => self.pick("share of requests that were ok", "정상 요청 비율"),
            Definition::Time => {
                self.pick("share of time in which the front door answered", "응답한 시간의 비율")
            }
            Definition::ErrorSlots => self.pick(
                "error rates of 5-minute slots, averaged (as in the Amazon S3 SLA)",
                "5분 단위 오류율의 평균 (Amazon S3 SLA 방식)",
            ),
            Definition::ErrorMinute => self.pick(
                "whole minutes with over 10 % errors (as in the Google Cloud Functions SLA)",
                "오류율 10 % 초과가 1분 이상 (Google Cloud Functions SLA 방식)",
            ),
            Definition::ErrorFiveMinutes => self.pick(
                "5 minutes in a row with over 5 % errors (as in the Google Media CDN SLA)",
                "오류율 5 % 초과가 연속 5분 이상 (Google Media CDN SLA 방식)",
            ),
            Definition::Connectivity => self.pick(
                "outages of a minute and more (as in the Google Compute Engine SLA)",
                "1분 이상 연결 불가 (Google Compute Engine SLA 방식)",
            ),
            Definition::Gap => {
                self.pick("longest gap between two good answers", "정상 응답 사이의 최장 공백")
            }
            Definition::UserUptime => self.pick(
                "mean uptime of the users (Meaningful Availability, NSDI 2020)",
                "사용자별 가동 시간의 평균 (Meaningful Availability, NSDI 2020)",
            ),
        }
    }

    /// What a definition makes of a run.
    #[must_use]
    pub fn value(self, value: Value) -> String {
        match (value, self) {
            (Value::Share(share), _) => number::percent(share),
            (Value::Scaled(share, slot), Self::En) => format!(
                "{}, from one slot of {}: the run is too short for the definition",
                number::percent(share),
                number::duration(slot)
            ),
            (Value::Scaled(share, slot), Self::Ko) => format!(
                "{} ({} 한 단위로 계산: 정의보다 짧은 실행)",
                number::percent(share),
                number::duration(slot)
            ),
            (Value::Span(span, resolution), _) => number::span(span, resolution),
            (Value::TooShort(needed), Self::En) => {
                format!("the run is too short: it takes {}", number::duration(needed))
            }
            (Value::TooShort(needed), Self::Ko) => {
                format!("실행이 너무 짧음: {} 필요", number::duration(needed))
            }
            (Value::NotRecorded, _) => self.pick("not recorded", "기록 없음").to_owned(),
        }
    }

    /// Which latency.
    #[must_use]
    pub fn latency(self, latency: Latency) -> &'static str {
        match latency {
            Latency::Response => self.pick("response", "응답 시간"),
            Latency::Service => self.pick("service", "처리 시간"),
            Latency::Connect => self.pick("connect", "연결 시간"),
        }
    }

    /// Which outcomes.
    #[must_use]
    pub fn outcomes(self, outcomes: Outcomes) -> &'static str {
        match outcomes {
            Outcomes::All => self.pick("all", "전체"),
            Outcomes::Ok => self.pick("ok", "정상"),
            Outcomes::NotOk => self.pick("not ok", "비정상"),
        }
    }
}
