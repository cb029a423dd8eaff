//! One file per verb. A command checks its arguments, calls the facade, and says what came out.

mod average;
mod caption;
mod demo;
mod doctor;
mod encode;
mod evaluate;
mod features;
mod fit;
mod judge;
mod map;
mod model;
mod music;
mod phantom;
mod predict;
mod pull;
mod reconstruct;
mod report;
mod stream;
mod train;

use crate::arguments::{Arguments, Command, DoctorDataset, EvaluateWhat, ModelAction, MusicAction, TrainModel};
use crate::settings;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    settings::use_threads(arguments.threads)?;
    settings::use_device(arguments.device.as_deref())?;
    match arguments.command {
        Command::Demo(demo) => demo::run(demo),
        Command::Reconstruct(reconstruct) => reconstruct::run(reconstruct),
        Command::Caption(caption) => caption::run(caption),
        Command::Doctor(doctor) => match doctor.dataset {
            DoctorDataset::Nsd(nsd) => doctor::nsd(&nsd),
            DoctorDataset::Ds005531(films) => doctor::films(&films),
            DoctorDataset::Ds003720(music) => doctor::music(&music),
            DoctorDataset::Cc2017(watching) => doctor::watching(&watching),
        },
        Command::Evaluate(evaluate) => match evaluate.what {
            EvaluateWhat::Captions(captions) => evaluate::captions(&captions),
        },
        Command::Judge(judge) => judge::run(&judge),
        Command::Map(map) => map::run(&map),
        Command::Features(features) => features::run(features),
        Command::Phantom(phantom) => phantom::run(&phantom),
        Command::Train(train) => match train.model {
            TrainModel::Pocket(pocket) => train::pocket(&pocket),
            TrainModel::B2c(b2c) => train::b2c(b2c),
        },
        Command::Model(model) => match model.action {
            ModelAction::Pull(pull) => pull::run(&pull),
            ModelAction::Info(info) => model::info(&info),
            ModelAction::Run(run) => model::run(&run),
            ModelAction::Bench(bench) => model::bench(&bench),
            ModelAction::Taps(taps) => model::taps(&taps),
            ModelAction::Verify(verify) => model::verify(&verify),
            ModelAction::List(list) => model::list(&list),
        },
        Command::Music(music) => match music.action {
            MusicAction::Index(index) => music::index(&index),
            MusicAction::Search(search) => music::search(&search),
        },
        Command::Encode(encode) => encode::run(encode),
        Command::Average(average) => average::run(&average),
        Command::Fit(fit) => fit::run(&fit),
        Command::Predict(predict) => predict::run(&predict),
        Command::Stream(stream) => stream::run(stream),
        Command::Report(report) => report::run(&report),
    }
}
