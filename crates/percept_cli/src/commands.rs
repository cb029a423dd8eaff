//! One file per verb. A command checks its arguments, calls the facade, and says what came out.

mod demo;
mod doctor;
mod features;
mod fit;
mod model;
mod phantom;
mod predict;
mod pull;
mod reconstruct;
mod report;
mod train;

use crate::arguments::{Arguments, Command, DoctorDataset, ModelAction, TrainModel};
use crate::settings;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    settings::use_threads(arguments.threads)?;
    settings::use_device(arguments.device.as_deref())?;
    match arguments.command {
        Command::Demo(demo) => demo::run(demo),
        Command::Reconstruct(reconstruct) => reconstruct::run(reconstruct),
        Command::Doctor(doctor) => match doctor.dataset {
            DoctorDataset::Nsd(nsd) => doctor::nsd(&nsd),
        },
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
        Command::Fit(fit) => fit::run(&fit),
        Command::Predict(predict) => predict::run(&predict),
        Command::Report(report) => report::run(&report),
    }
}
