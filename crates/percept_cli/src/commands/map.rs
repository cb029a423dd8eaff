//! `percept map`: values on the cortex, as a picture or a page.

use anyhow::bail;
use percept::surface::colour::ColourMap;
use percept::surface::maps::{Job, Made, make};
use percept::surface::paint::Theme;
use percept::surface::values::Options;
use percept::surface::volume::Sampling;

use crate::arguments::{self, Colours};
use crate::output::{json, say};

/// Draws.
pub(crate) fn run(arguments: &arguments::Map) -> anyhow::Result<()> {
    let made = make(&job(arguments)?)?;
    if arguments.json {
        return json(&made);
    }
    told(&made);
    Ok(())
}

fn job(arguments: &arguments::Map) -> anyhow::Result<Job> {
    let range = match arguments.range.as_deref() {
        Some([low, high]) if low < high => Some([*low, *high]),
        Some([low, high]) => bail!("the range is {low},{high} but must rise (write the lower end first)"),
        _ => None,
    };
    if let Some(depth) = arguments.depths.iter().find(|depth| !(0.0..=1.0).contains(*depth)) {
        bail!("the depth {depth} is not between 0 at white matter and 1 at the pia (change `--depths`)");
    }
    if !(40..=4000).contains(&arguments.width) {
        bail!("the width of a view is {} but must be 40 to 4000 pixels (change `--width`)", arguments.width);
    }
    let theme = if arguments.dark { Theme::Dark } else { Theme::Light };
    Ok(Job {
        values: arguments.values.clone(),
        surfaces: arguments.surface.clone(),
        subject: arguments.subject.clone(),
        options: Options {
            depths: arguments.depths.clone(),
            sampling: if arguments.nearest { Sampling::Nearest } else { Sampling::Linear },
            reference: arguments.volume.clone(),
            transform: arguments.transform.clone(),
            categories: arguments.categories,
        },
        significance: arguments.significance.clone().map(|values| (values, arguments.level)),
        reliability: arguments.reliability.clone(),
        threshold: arguments.threshold,
        smooth_mm: arguments.smooth,
        range,
        colours: arguments.colours.map(|colours| match colours {
            Colours::Ember => ColourMap::Ember,
            Colours::Lagoon => ColourMap::Lagoon,
            Colours::BlueOrange => ColourMap::BlueOrange,
        }),
        unit: arguments.unit.clone().unwrap_or_default(),
        views: arguments.views.clone(),
        atlas: arguments.atlas.clone(),
        regions: arguments.regions.clone(),
        theme,
        panel_width: f32::from(arguments.width),
        density: 1.0,
        columns: arguments.columns,
        anatomy: arguments.anatomy.clone(),
        out: arguments.out.clone(),
    })
}

fn told(made: &Made) {
    for map in &made.maps {
        match (map.min, map.max) {
            (Some(min), Some(max)) => say(format!("{}: {} places, {min} to {max}", map.name, map.n_drawn)),
            _ => say(format!("{}: nothing to draw (lower the threshold, or check where the values lie)", map.name)),
        }
    }
    say(format!("map: {}", made.out.display()));
}
