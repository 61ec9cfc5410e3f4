//! Real servers that change to TLS in the middle of their protocol, by the word of `starttls:`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::faults::Issued;
use crate::servers::{Server, program_of};

/// Every protocol that `starttls:` knows.
pub const PROTOCOLS: &[&str] = &["smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql"];

/// What may be sent to the server of [`exim`] by whom.
pub const MAILBOX: (&str, &str) = ("user", "correct-horse-battery");

/// A server of this protocol with this certificate.
pub fn peer(protocol: &str, issued: &Issued) -> Server {
    match protocol {
        "smtp" => exim(Some(issued), false),
        "imap" | "pop3" => dovecot(protocol, issued),
        "ftp" => vsftpd(issued),
        "ldap" => slapd(issued),
        "postgres" => postgres(Some(issued)),
        "mysql" => mariadb(issued),
        other => panic!("no server for {other}"),
    }
}

/// Writes chain and key where the server's own user may read them.
fn certificate(dir: &Path, issued: &Issued) -> (PathBuf, PathBuf) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let (chain, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&chain, issued.chain_pem()).unwrap();
    fs::write(&key, issued.key_pem()).unwrap();
    (chain, key)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives all of a folder to a user that a server changes to.
fn give(dir: &Path, user: &str) {
    if is_root() {
        let status = Command::new("chown")
            .arg("-R")
            .arg(user)
            .arg(dir)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

/// The program as this user: some servers refuse to run as root.
fn run_as(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]);
    command.arg(program);
    command
}

/// Exim: mail for `mail.test` is taken, other mail is not; AUTH behind TLS only. With
/// `from_the_start` TLS is not asked for.
pub fn exim(issued: Option<&Issued>, from_the_start: bool) -> Server {
    Server::start(|port, dir| {
        let spool = dir.join("spool");
        fs::create_dir(&spool).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        give(&spool, "Debian-exim");
        let d = spool.display();
        let mut lines = format!(
            "primary_hostname = mail.test\nlocal_interfaces = 127.0.0.1\nspool_directory = {d}\n\
             log_file_path = {d}/%slog\npid_file_path = {d}/pid\nmessage_size_limit = 10M\nhost_lookup =\n\
             rfc1413_query_timeout = 0s\nkeep_environment =\nacl_smtp_rcpt = rcpt\n"
        );
        match issued {
            Some(issued) => {
                let (chain, key) = certificate(dir, issued);
                let (chain, key) = (chain.display(), key.display());
                writeln!(
                    lines,
                    "tls_advertise_hosts = *\ntls_certificate = {chain}\ntls_privatekey = {key}"
                )
                .unwrap();
            }
            None => lines.push_str("tls_advertise_hosts =\n"),
        }
        let (user, password) = MAILBOX;
        write!(
            lines,
            "begin acl\nrcpt:\n  accept domains = mail.test\n  deny message = relay not permitted\n\
             begin authenticators\n\
             plain:\n  driver = plaintext\n  public_name = PLAIN\n  server_prompts = :\n  \
             server_condition = ${{if and {{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}\n  \
             server_set_id = $auth2\n  server_advertise_condition = ${{if def:tls_in_cipher}}\n\
             login:\n  driver = plaintext\n  public_name = LOGIN\n  server_prompts = Username:: : Password::\n  \
             server_condition = ${{if and {{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}\n  \
             server_set_id = $auth1\n  server_advertise_condition = ${{if def:tls_in_cipher}}\n"
        )
        .unwrap();
        let conf = dir.join("exim.conf");
        fs::write(&conf, lines).unwrap();
        let mut command = Command::new(program_of("exim4"));
        command
            .arg("-C")
            .arg(conf)
            .args(["-bdf", "-oX"])
            .arg(port.to_string());
        if from_the_start {
            command.arg("-tls-on-connect");
        }
        command
    })
}

fn dovecot(protocol: &str, issued: &Issued) -> Server {
    Server::start(|port, dir| {
        let (chain, key) = certificate(dir, issued);
        let d = dir.display();
        let conf = dir.join("dovecot.conf");
        let lines = format!(
            "base_dir = {d}/base\nlog_path = {d}/dovecot.log\nprotocols = {protocol}\nlisten = 127.0.0.1\n\
             ssl = yes\nssl_cert = <{}\nssl_key = <{}\n\
             service {protocol}-login {{\n  inet_listener {protocol} {{\n    port = {port}\n  }}\n  \
             inet_listener {protocol}s {{\n    port = 0\n  }}\n}}\n\
             passdb {{\n  driver = static\n  args = password=secret\n}}\n",
            chain.display(),
            key.display()
        );
        fs::write(&conf, lines).unwrap();
        let mut command = Command::new(program_of("dovecot"));
        command.arg("-F").arg("-c").arg(conf);
        command
    })
}

fn vsftpd(issued: &Issued) -> Server {
    Server::start(|port, dir| {
        let (chain, key) = certificate(dir, issued);
        let empty = dir.join("empty");
        fs::create_dir(&empty).unwrap();
        let mut lines = format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n\
             anonymous_enable=YES\nssl_enable=YES\nssl_ciphers=HIGH\nrsa_cert_file={}\n\
             rsa_private_key_file={}\nsecure_chroot_dir={}\n",
            chain.display(),
            key.display(),
            empty.display()
        );
        if !is_root() {
            lines.push_str("run_as_launching_user=YES\n");
        }
        let conf = dir.join("vsftpd.conf");
        fs::write(&conf, lines).unwrap();
        let mut command = Command::new(program_of("vsftpd"));
        command.arg(conf);
        command
    })
}

fn slapd(issued: &Issued) -> Server {
    Server::start(|port, dir| {
        let (chain, key) = certificate(dir, issued);
        let conf = dir.join("slapd.conf");
        let lines = format!(
            "include /etc/ldap/schema/core.schema\npidfile {}/pid\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n",
            dir.display(),
            chain.display(),
            key.display()
        );
        fs::write(&conf, lines).unwrap();
        let mut command = Command::new(program_of("slapd"));
        command.arg("-f").arg(conf);
        command.args(["-h", &format!("ldap://127.0.0.1:{port}/"), "-d", "0"]);
        command
    })
}

/// PostgreSQL; without a certificate it does not offer TLS.
pub fn postgres(issued: Option<&Issued>) -> Server {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("postgresql is not installed; run scripts/install-test-servers.sh")
        .map(|entry| entry.unwrap().path().join("bin"))
        .collect();
    versions.sort();
    let bin = versions.pop().unwrap();
    Server::start(|port, dir| {
        let mut options = Vec::new();
        if let Some(issued) = issued {
            let (chain, key) = certificate(dir, issued);
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            options.push("ssl=on".to_owned());
            options.push(format!("ssl_cert_file={}", chain.display()));
            options.push(format!("ssl_key_file={}", key.display()));
        }
        give(dir, "postgres");
        let cluster = dir.join("cluster");
        let made = run_as("postgres", &bin.join("initdb"))
            .arg("-D")
            .arg(&cluster)
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "--no-locale"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = run_as("postgres", &bin.join("postgres"));
        command.arg("-D").arg(&cluster).arg("-k").arg(dir);
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F"]);
        for option in options {
            command.arg("-c").arg(option);
        }
        command
    })
}

fn mariadb(issued: &Issued) -> Server {
    Server::start(|port, dir| {
        let (chain, key) = certificate(dir, issued);
        let tables = dir.join("tables");
        fs::create_dir(&tables).unwrap();
        let mut command = Command::new(program_of("mariadbd"));
        command.arg("--no-defaults");
        if is_root() {
            command.arg("--user=root");
        }
        // Nobody logs in, so that no tables of users are needed.
        command.args(["--skip-grant-tables", "--bind-address=127.0.0.1"]);
        command.args([
            format!("--datadir={}", tables.display()),
            format!("--socket={}/socket", dir.display()),
            format!("--port={port}"),
            format!("--ssl-cert={}", chain.display()),
            format!("--ssl-key={}", key.display()),
        ]);
        command
    })
}

/// nginx with TLS on its port.
pub fn nginx(issued: &Issued, lines: &str) -> Server {
    Server::start(|port, dir| {
        let (chain, key) = certificate(dir, issued);
        let d = dir.display();
        let conf = dir.join("nginx.conf");
        let text = format!(
            "daemon off;\npid {d}/pid;\nerror_log {d}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {d}/b;\nproxy_temp_path {d}/p;\nfastcgi_temp_path {d}/f;\n\
             uwsgi_temp_path {d}/u;\nscgi_temp_path {d}/s;\n\
             server {{\nlisten 127.0.0.1:{port} ssl http2;\nssl_certificate {};\nssl_certificate_key {};\n{lines}\n}}\n}}\n",
            chain.display(),
            key.display()
        );
        fs::write(&conf, text).unwrap();
        let mut command = Command::new(program_of("nginx"));
        command.arg("-c").arg(conf).arg("-e").arg(dir.join("error.log"));
        command
    })
}

/// OpenSSL's own server, with these options.
pub fn openssl(issued: &Issued, options: &[&str]) -> Server {
    Server::start(|port, dir| {
        let (chain, key) = certificate(dir, issued);
        let mut command = Command::new(program_of("openssl"));
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
        command.arg("-cert").arg(chain).arg("-key").arg(key).args(options);
        command
    })
}

/// A Python program of this folder's, with the port as its argument; the system's Python has
/// the packages that it needs.
pub fn python(program: &str, arguments: &[&str]) -> Server {
    Server::start(|port, _| {
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg("-c")
            .arg(program)
            .arg(port.to_string())
            .args(arguments);
        command
    })
}
