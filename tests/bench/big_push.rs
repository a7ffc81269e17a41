//! A push of 100 MB, from the first byte to the durable 200, against nginx's PUT and an fsync of file and directory.

use std::{
    fs::{self, File},
    time::Instant,
};

use studygate::simulate::large::{GARMIN_MAX, LargeBody, Layout};
use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::{Figure, median};
use crate::machine;
use crate::nginx::Nginx;
use crate::site::{Site, https::Body};
use crate::traffic::MIDNIGHT;

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let population = Population::new(1, 4);
    let mut site = Site::stopped_in(machine::work_dir());
    site.start();
    site.add_study("BIG", &[]);
    site.add_participants("BIG", &population);
    let nginx = Nginx::beside(&site);
    let mut body = Vec::new();
    let large = LargeBody::new(population.users(), MIDNIGHT, GARMIN_MAX, Layout::Items(3600));
    large.write_to(&mut body).expect("memory takes all");
    let (mut gateway_s, mut nginx_s) = (Vec::new(), Vec::new());
    // The first round of each warms up and is not counted.
    for round in 0..=effort.rounds {
        let ours = push(&site, &body);
        site.wait_until_filed();
        let peer = put(&nginx, &body, round);
        if round > 0 {
            gateway_s.push(ours);
            nginx_s.push(peer);
        }
    }
    let (ours, peer) = (median(gateway_s), median(nginx_s));
    vec![
        Figure::told("gateway: POST of 100 MB to its 200, durable", ours, "s"),
        Figure::told("nginx: PUT of 100 MB, fsync of file and directory", peer, "s"),
        Figure::at_most("gateway to nginx", ours / peer, "", 1.0),
    ]
}

fn push(site: &Site, body: &[u8]) -> f64 {
    let (mut client, path) = (site.client(), site.notification_path());
    let began = Instant::now();
    assert_eq!(client.post(&path, body).expect("an answer"), 200);
    began.elapsed().as_secs_f64()
}

fn put(nginx: &Nginx, body: &[u8], round: usize) -> f64 {
    let (mut client, name) = (nginx.client(), format!("body-{round}"));
    let file = nginx.file(&name);
    let began = Instant::now();
    let answer = client.send("PUT", &format!("/put/{name}"), &[], Body::Bytes(body)).expect("an answer");
    assert_eq!(answer.0, 201);
    File::open(&file).and_then(|file| file.sync_all()).expect("the file is there");
    File::open(file.parent().expect("a folder")).and_then(|folder| folder.sync_all()).expect("the folder is there");
    let seconds = began.elapsed().as_secs_f64();
    fs::remove_file(file).expect("ours to remove");
    seconds
}
