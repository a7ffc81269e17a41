//! An ext4 file system in a file: mounted, cut off, looked at byte by byte. Needs root and loop devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

/// An ext4 file system in a file.
pub(crate) struct Disk {
    folder: TempDir,
    pub(crate) mounted: PathBuf,
    image: PathBuf,
    cuts: u32,
}

impl Disk {
    pub(crate) fn of_mib(size: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (image, mounted) = (folder.path().join("disk-0"), folder.path().join("mnt"));
        fs::create_dir(&mounted).expect("a folder");
        fs::File::create(&image).and_then(|file| file.set_len(size << 20)).expect("a file");
        run(Command::new("mkfs.ext4").arg("-q").arg(&image));
        mount(&image, &mounted);
        Self { folder, mounted, image, cuts: 0 }
    }

    /// Every byte of the disk, free space included; nothing may have a file of it open.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        run(Command::new("umount").arg(&self.mounted));
        let bytes = fs::read(&self.image).expect("room in memory");
        mount(&self.image, &self.mounted);
        bytes
    }

    /// The disk is what it was when these were its bytes; nothing may have a file of it open.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        run(Command::new("umount").arg(&self.mounted));
        fs::write(&self.image, bytes).expect("room for the disk");
        mount(&self.image, &self.mounted);
    }

    /// From now on the disk is what had reached it at this moment.
    pub(crate) fn cut_power(&mut self) {
        self.cuts += 1;
        let copy = self.folder.path().join(format!("disk-{}", self.cuts));
        fs::copy(&self.image, &copy).expect("room for a copy");
        run(Command::new("umount").arg(&self.mounted));
        fs::remove_file(&self.image).expect("ours to remove");
        mount(&copy, &self.mounted);
        self.image = copy;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A failing suite leaves the site's files open for a moment; a lazy unmount lets them be.
        Command::new("umount").arg("-l").arg(&self.mounted).status().ok();
    }
}

fn mount(image: &Path, folder: &Path) {
    run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(folder));
}

fn run(command: &mut Command) {
    let status: ExitStatus = command.status().expect("a tool of the base system");
    assert!(status.success(), "{command:?} ended with {status}");
}
