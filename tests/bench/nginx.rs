//! The peer: nginx with TLS, on the same file system, with a folder for PUT and a place that answers at once.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use crate::machine;
use crate::site::{Site, https::Client};

const NGINX: &str = "/usr/sbin/nginx";

/// A running nginx.
pub(crate) struct Nginx {
    folder: TempDir,
    process: Child,
    address: SocketAddr,
    certificate: PathBuf,
}

impl Nginx {
    /// nginx with the certificate of a site.
    pub(crate) fn beside(site: &Site) -> Self {
        assert!(Path::new(NGINX).is_file(), "nginx is missing; install Debian's nginx-light");
        let folder = tempfile::Builder::new().prefix("nginx").tempdir_in(machine::work_dir()).expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let certificate = site.configured(&["ingress", "tls", "certificate"]);
        let key = site.configured(&["ingress", "tls", "private_key"]);
        let text = configuration(folder.path(), address, &certificate, &key);
        let config = folder.path().join("nginx.conf");
        fs::create_dir(folder.path().join("put")).expect("a folder");
        fs::write(&config, text).expect("a file");
        let errors = File::create(folder.path().join("stderr")).expect("a file");
        let mut command = Command::new(NGINX);
        command.arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(&config);
        let process = command.stdin(Stdio::null()).stderr(errors).spawn().expect("nginx starts");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nginx did not start; see {}", folder.path().display());
            thread::sleep(Duration::from_millis(10));
        }
        Self { folder, process, address, certificate }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, &self.certificate)
    }

    /// The file that a PUT to `/put/<name>` becomes.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("put").join(name)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::TERM).ok();
        self.process.wait().expect("a child of ours");
    }
}

fn configuration(folder: &Path, address: SocketAddr, certificate: &Path, key: &Path) -> String {
    // Workers of a master that is root would otherwise lose the right to write here.
    let user = if getuid().is_root() { "user root;" } else { "" };
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("    {name}_temp_path {folder}/{name};\n"))
        .collect();
    format!(
        "{user}\ndaemon off;\nworker_processes auto;\npid {folder}/pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n    access_log off;\n{temporary}    client_max_body_size 256m;\n    keepalive_requests 100000000;\n\
         \x20   server {{\n        listen {address} ssl;\n        ssl_certificate {};\n        ssl_certificate_key {};\n\
         \x20       location /put/ {{ root {folder}; dav_methods PUT; }}\n        location /bare {{ return 200; }}\n\
         \x20   }}\n}}\n",
        certificate.display(),
        key.display(),
    )
}
