//! Checks that connect and speak a protocol: tls, udp, smtp, websocket, grpc.

use super::Row;

/// What is wrong with their settings, and what their targets do.
pub static CONNECTIONS: &[Row] = &[
    // settings
    (
        "`{0}` is not a host, with or without a port",
        "`{0}`: 호스트여야 합니다. 포트는 생략할 수 있습니다",
    ),
    (
        "write for example `mail.example` or `[::1]:6379`",
        "예: `mail.example`, `[::1]:6379`",
    ),
    (
        "nothing is agreed on without `alpn` in `tls:`, which offers it",
        "`tls:`에 `alpn`이 없으면 협상되는 것이 없습니다",
    ),
    (
        "a udp check needs `send` or `send_hex`: nobody answers who was not asked",
        "udp 점검에는 `send`나 `send_hex`가 필요합니다. 묻지 않으면 아무도 응답하지 않습니다",
    ),
    (
        "`send` and `send_hex` say the same: use one",
        "`send`와 `send_hex`는 같은 뜻입니다. 하나만 쓰십시오",
    ),
    (
        "`{0}` is not a row of bytes: write two hexadecimal digits for each, like `0a ff`",
        "`{0}`: 바이트가 아닙니다. 바이트마다 16진수 두 자리로 쓰십시오. 예: `0a ff`",
    ),
    (
        "a password is sent over TLS only: `auth` needs `tls: true` or `starttls: required`",
        "비밀번호는 TLS로만 보냅니다. `auth`에는 `tls: true`나 `starttls: required`가 필요합니다",
    ),
    (
        "`rcpt_to` needs `mail_from`: SMTP asks for the sender first",
        "`rcpt_to`에는 `mail_from`이 필요합니다. SMTP는 보내는 사람부터 묻습니다",
    ),
    (
        "`recipient` needs `rcpt_to` in `smtp:`",
        "`recipient`를 쓰려면 `smtp:`에 `rcpt_to`가 필요합니다",
    ),
    (
        "`{0}` is not a WebSocket's URL: it begins with `ws://` or `wss://`",
        "`{0}`: WebSocket 주소가 아닙니다. `ws://`나 `wss://`로 시작해야 합니다",
    ),
    (
        "the URL holds a user: send it in `headers:` as `Authorization`",
        "주소에 사용자가 들어 있습니다. `headers:`의 `Authorization`으로 보내십시오",
    ),
    (
        "write for example `wss://chat.example/socket`",
        "예: `wss://chat.example/socket`",
    ),
    (
        "a subprotocol's name has no spaces, commas or quotes",
        "하위 프로토콜 이름에는 공백, 쉼표, 따옴표를 쓸 수 없습니다",
    ),
    (
        "the header `{0}` belongs to the upgrade itself (`subprotocol` has a key of its own)",
        "`{0}` 헤더는 업그레이드 자체에 쓰입니다 (하위 프로토콜은 `subprotocol`에 쓰십시오)",
    ),
    (
        "`{0}` cannot be sent as metadata",
        "`{0}`: 메타데이터로 보낼 수 없습니다",
    ),
    (
        "a name is made of letters, digits, `-`, `_` and `.`, begins not with `grpc-` and ends not in `-bin`",
        "이름에는 영문자, 숫자, `-`, `_`, `.`만 쓸 수 있습니다. `grpc-`로 시작하거나 `-bin`으로 끝날 수 없습니다",
    ),
    // targets
    (
        "refused by {0}: nothing listens on that UDP port (ICMP port unreachable)",
        "{0}에서 거부했습니다. 그 UDP 포트에서 수신하는 프로그램이 없습니다 (ICMP port unreachable)",
    ),
    (
        "no answer from {0} within {1} (the datagram was sent; it or its answer may be lost)",
        "{1} 안에 {0}의 응답이 없습니다 (데이터그램은 보냈고, 그것이나 응답이 유실되었을 수 있습니다)",
    ),
    (
        "{0} does not offer STARTTLS",
        "{0}에서 STARTTLS를 제공하지 않습니다",
    ),
    (
        "{0} did not greet within {1} (connected)",
        "{1} 안에 {0}의 인사말이 오지 않았습니다 (연결됨)",
    ),
    (
        "RCPT TO:<{0}> is refused: {1}",
        "RCPT TO:<{0}>이(가) 거부되었습니다: {1}",
    ),
    (
        "{0} did not answer the upgrade to WebSocket within {1}",
        "{1} 안에 {0}이(가) WebSocket 업그레이드에 응답하지 않았습니다",
    ),
    (
        "{0} answers the upgrade to WebSocket with {1}",
        "{0}이(가) WebSocket 업그레이드에 {1}(으)로 응답했습니다",
    ),
    (
        "{0} did not answer grpc.health.v1.Health/Check within {1} (connected)",
        "{1} 안에 {0}이(가) grpc.health.v1.Health/Check에 응답하지 않았습니다 (연결됨)",
    ),
    (
        "the health of `{0}` is {1}, expected SERVING",
        "`{0}`의 상태가 {1}입니다. 기대한 상태: SERVING",
    ),
    (
        "the server's health is {0}, expected SERVING",
        "서버의 상태가 {0}입니다. 기대한 상태: SERVING",
    ),
    (
        "the server's health check does not know `{0}`",
        "서버의 상태 점검이 `{0}`을(를) 모릅니다",
    ),
    (
        "the server has no health check (grpc.health.v1.Health)",
        "서버에 상태 점검(grpc.health.v1.Health)이 없습니다",
    ),
    // names, addresses, databases
    (
        "`{0}` is not a name that DNS knows: write for example `{1}`",
        "`{0}`은(는) DNS 이름이 아닙니다. 예: `{1}`",
    ),
    (
        "`{0}` is not a name that DNS knows",
        "`{0}`은(는) DNS 이름이 아닙니다",
    ),
    (
        "`{0}` is not an address of http or https",
        "`{0}`은(는) http 또는 https 주소가 아닙니다",
    ),
    (
        "`{0}` is not the name of a domain",
        "`{0}`은(는) 도메인 이름이 아닙니다",
    ),
    ("write for example `{0}`", "예: `{0}`"),
    (
        "`{0}` is not an address: write for example `{1}` or `{2}`",
        "`{0}`은(는) IP 주소가 아닙니다. 예: `{1}` 또는 `{2}`",
    ),
    (
        "`sending_ips` needs at least one address",
        "`sending_ips`에는 주소가 하나 이상 필요합니다",
    ),
    (
        "`interval` must be at least {0}: more is a flood",
        "`interval`은 {0} 이상이어야 합니다. 더 잦으면 과도한 요청입니다",
    ),
    (
        "the last request would be sent after the time-out: send fewer, or closer together",
        "마지막 요청이 제한 시간 뒤에 나갑니다. 횟수를 줄이거나 간격을 좁히십시오",
    ),
    (
        "this URL has the scheme `{0}`, not http or https",
        "이 URL의 스킴은 `{0}`입니다. http 또는 https여야 합니다",
    ),
    (
        "this URL has the scheme `{0}`, and `redis:` and `rediss:` are known",
        "이 URL의 스킴은 `{0}`입니다. `redis:`와 `rediss:`를 쓸 수 있습니다",
    ),
    (
        "this URL has the scheme `{0}`, and `postgres:`, `mysql:` and `sqlite:` are known",
        "이 URL의 스킴은 `{0}`입니다. `postgres:`, `mysql:`, `sqlite:`를 쓸 수 있습니다",
    ),
    (
        "this URL must not hold a user and a password: use `auth:`",
        "이 URL에는 사용자와 비밀번호를 쓸 수 없습니다. `auth:`를 쓰십시오",
    ),
    (
        "`field` picks a line of INFO: add `command: [INFO]`",
        "`field`는 INFO의 한 줄을 고릅니다. `command: [INFO]`를 더하십시오",
    ),
    (
        "a password must not stand in the URL",
        "URL에 비밀번호를 적어서는 안 됩니다",
    ),
    (
        "name it instead, as `${env:NAME}` in the URL or with the key `password:`; `secrets: { deny_literals: false }` in haetae.yaml allows it",
        "대신 URL 안의 `${env:NAME}`이나 `password:` 키로 지정하십시오. haetae.yaml의 `secrets: { deny_literals: false }`로 허용할 수 있습니다",
    ),
    (
        "`{0}` is not among the commands that only read: {1}",
        "`{0}`은(는) 읽기 전용 명령이 아닙니다. 쓸 수 있는 명령: {1}",
    ),
    (
        "`query` holds several statements, and one is allowed",
        "`query`에 문장이 여러 개 있습니다. 하나만 쓸 수 있습니다",
    ),
    (
        "`query` begins with {0}, and only statements that read are allowed: {1}",
        "`query`가 {0}(으)로 시작합니다. 읽는 문장만 쓸 수 있습니다: {1}",
    ),
    (
        "the first column of the first row is `value`",
        "첫 행의 첫 열이 `value`입니다",
    ),
    ("the query's number is `value`", "질의의 값은 `value`입니다"),
    (
        "the number in the answer is `value`",
        "응답의 숫자가 `value`입니다",
    ),
];
