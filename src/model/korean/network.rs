//! Why there was no answer: what the browser says, and what our own requests meet.

use super::Row;

/// Connections, names, certificates, addresses that must not be asked.
pub static NETWORK: &[Row] = &[
    // what the browser says
    (
        "the server refused the connection (ERR_{0})",
        "서버가 연결을 거부했습니다 (ERR_{0})",
    ),
    (
        "the server reset the connection (ERR_{0})",
        "서버가 연결을 끊었습니다 (ERR_{0})",
    ),
    (
        "the server closed the connection (ERR_{0})",
        "서버가 연결을 닫았습니다 (ERR_{0})",
    ),
    ("the connection timed out (ERR_{0})", "연결 시간 초과 (ERR_{0})"),
    (
        "the server closed the connection without an answer (ERR_{0})",
        "서버가 응답 없이 연결을 닫았습니다 (ERR_{0})",
    ),
    (
        "the name does not resolve (ERR_{0})",
        "호스트 이름을 찾을 수 없습니다 (ERR_{0})",
    ),
    (
        "it redirects in a circle (ERR_{0})",
        "리디렉션이 끝없이 되풀이됩니다 (ERR_{0})",
    ),
    (
        "the browser is offline (ERR_{0})",
        "브라우저가 오프라인입니다 (ERR_{0})",
    ),
    (
        "it redirects to an address that pages must not open (ERR_{0})",
        "페이지에서 열 수 없는 주소로 리디렉션됩니다 (ERR_{0})",
    ),
    (
        "browsers do not open this port (ERR_{0})",
        "브라우저가 열지 않는 포트입니다 (ERR_{0})",
    ),
    (
        "the browser blocked it (ERR_{0})",
        "브라우저가 차단했습니다 (ERR_{0})",
    ),
    ("it was given up (ERR_{0})", "도중에 취소되었습니다 (ERR_{0})"),
    (
        "the certificate is not valid (ERR_{0})",
        "인증서가 올바르지 않습니다 (ERR_{0})",
    ),
    (
        "the TLS connection failed (ERR_{0})",
        "TLS 연결에 실패했습니다 (ERR_{0})",
    ),
    (
        "the page could not be loaded (ERR_{0})",
        "페이지를 불러올 수 없습니다 (ERR_{0})",
    ),
    // names
    (
        "the name {0} does not resolve",
        "호스트 이름을 찾을 수 없습니다: {0}",
    ),
    (
        "the name {0} does not resolve: the DNS server answers {1}",
        "호스트 이름을 찾을 수 없습니다: {0} (DNS 서버 응답: {1})",
    ),
    (
        "`{0}` is not a name that can be resolved",
        "`{0}`은(는) 호스트 이름으로 쓸 수 없습니다",
    ),
    (
        "no DNS server could be asked for {0}: {1}",
        "{0}: DNS 서버에 물어볼 수 없습니다 ({1})",
    ),
    (
        "this machine's DNS settings cannot be used: {0}",
        "이 서버의 DNS 설정을 쓸 수 없습니다: {0}",
    ),
    (
        "the name {0} has no address of the wanted version",
        "호스트 이름 {0}: 지정한 IP 버전의 주소가 없습니다",
    ),
    // time
    (
        "the name {0} was not resolved within {1}",
        "시간 초과: {1} 안에 호스트 이름을 찾지 못했습니다 ({0})",
    ),
    (
        "{0} did not answer within {1} (connected, no response yet)",
        "시간 초과: {0}, {1} 안에 응답하지 않았습니다 (연결은 되었으나 응답 없음)",
    ),
    (
        "{0} did not finish the TLS handshake within {1}",
        "시간 초과: {0}, {1} 안에 TLS 연결을 맺지 못했습니다",
    ),
    (
        "no connection to {0} within {1}",
        "시간 초과: {0}, {1} 안에 연결하지 못했습니다",
    ),
    // connections
    (
        "connection refused by {0}: nothing listens there",
        "연결 거부: {0} (그 포트에서 받는 서비스가 없습니다)",
    ),
    ("{0} reset the connection", "{0}: 상대방이 연결을 끊었습니다"),
    ("{0} closed the connection", "{0}: 상대방이 연결을 닫았습니다"),
    (
        "{0} closed the connection in the middle of its answer",
        "{0}: 상대방이 응답 도중에 연결을 닫았습니다",
    ),
    ("the connection to {0} timed out", "연결 시간 초과: {0}"),
    ("no route to {0}", "네트워크 경로가 없습니다: {0}"),
    (
        "our own network cannot reach {0}: {1}",
        "haetae 쪽 네트워크에서 {0}에 연결할 수 없습니다: {1}",
    ),
    (
        "this process has too many open files",
        "이 프로세스가 연 파일이 너무 많습니다",
    ),
    (
        "the exchange with {0} failed: {1}",
        "{0}: 통신에 실패했습니다 ({1})",
    ),
    (
        "the answer of {0} could not be unpacked: {1}",
        "{0}: 응답의 압축을 풀 수 없습니다 ({1})",
    ),
    (
        "the answer is larger than `max_body` ({0} bytes)",
        "응답이 `max_body`({0}바이트)보다 큽니다",
    ),
    (
        "it redirects more than {0} times, last to {1}",
        "{0}번 넘게 리디렉션됩니다. 마지막 주소: {1}",
    ),
    // TLS
    ("the certificate has expired", "인증서가 만료되었습니다"),
    (
        "the certificate has expired: {0} was valid until {1}, {2} ago",
        "인증서가 만료되었습니다: {0}의 유효 기간은 {1}까지였습니다 ({2} 지남)",
    ),
    (
        "the certificate is not valid yet: {0} is valid from {1} on",
        "인증서의 유효 기간이 아직 시작되지 않았습니다: {0}은(는) {1}부터 유효합니다",
    ),
    (
        "the certificate's issuer is not trusted (self-signed, or an intermediate is missing): {0} is issued by {1}",
        "인증서 발급자를 신뢰할 수 없습니다 (자체 서명이거나 중간 인증서가 빠졌습니다): {0}의 발급자는 {1}입니다",
    ),
    (
        "the certificate's issuer is not trusted (self-signed, or an intermediate is missing): {0} vouches for itself",
        "인증서 발급자를 신뢰할 수 없습니다 (자체 서명이거나 중간 인증서가 빠졌습니다): {0}은(는) 자체 서명입니다",
    ),
    (
        "the certificate is not valid yet",
        "인증서의 유효 기간이 아직 시작되지 않았습니다",
    ),
    ("the certificate is for another name", "다른 이름의 인증서입니다"),
    (
        "the certificate is for another name: it names {0}",
        "다른 이름의 인증서입니다. 인증서의 이름: {0}",
    ),
    (
        "the certificate's issuer is not trusted (self-signed, or an intermediate is missing)",
        "인증서 발급자를 신뢰할 수 없습니다 (자체 서명이거나 중간 인증서가 빠졌습니다)",
    ),
    ("the certificate has been revoked", "폐지된 인증서입니다"),
    (
        "the certificate is not valid: {0}",
        "인증서가 올바르지 않습니다: {0}",
    ),
    (
        "the other side does not speak TLS here (a plain-text port?)",
        "상대방이 이 포트에서 TLS를 쓰지 않습니다 (평문 포트일 수 있습니다)",
    ),
    (
        "the other side refused TLS: {0}",
        "상대방이 TLS를 거부했습니다: {0}",
    ),
    ("TLS failed: {0}", "TLS 실패: {0}"),
    (
        "the client certificate cannot be used: {0}",
        "클라이언트 인증서를 쓸 수 없습니다: {0}",
    ),
    (
        "the certificates in `ca` cannot be used: {0}",
        "`ca`의 인증서를 쓸 수 없습니다: {0}",
    ),
    (
        "this machine has no trusted certificates: {0}",
        "이 서버에 신뢰하는 인증서가 없습니다: {0}",
    ),
    (
        "this machine has no trusted certificates ({0}); install the package ca-certificates",
        "이 서버에 신뢰하는 인증서가 없습니다 ({0}). ca-certificates 패키지를 설치하십시오",
    ),
    // what is not asked
    ("`proxy` is not a URL", "`proxy`가 URL이 아닙니다"),
    ("the request cannot be made: {0}", "요청을 만들 수 없습니다: {0}"),
    (
        "`{0}` does not make a URL of http or https",
        "`{0}`: http 또는 https URL이 되지 않습니다",
    ),
    (
        "{0} port {1} is haetae's own and must not be checked",
        "{0} 포트 {1}: haetae가 직접 쓰는 포트이므로 점검할 수 없습니다",
    ),
    (
        "the settings deny the address {0} (`targets:` in haetae.yaml)",
        "설정에서 금지한 주소입니다: {0} (haetae.yaml의 `targets:`)",
    ),
];
