"""Makes `samplers/`: trajectories of diffusers' samplers with a formula in place of a network.

    python make_samplers.py

Noise that a sampler draws is recorded in the order in which it is drawn, so that others can be given the same.
"""

import importlib

import torch
from make import HERE, f32, fake_model, normal, save, write_json

SD = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
}
EULER, ANCESTRAL = "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"
DPM, UNIPC, LCM = "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "LCMScheduler"
ZERO = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}

CASES = {
    "ddpm_leading": ("DDPMScheduler", SD | {"clip_sample": False, "steps_offset": 1, "variance_type": "fixed_small"}),
    "ddpm_clipped": ("DDPMScheduler", {"timestep_spacing": "linspace", "variance_type": "fixed_large"}),
    "ddpm_zero_snr": ("DDPMScheduler", SD | ZERO | {"clip_sample": False, "variance_type": "fixed_small_log"}),
    "ddpm_sample": ("DDPMScheduler", SD | {"clip_sample": False, "prediction_type": "sample"}),
    # What SD-Turbo's repository has.
    "euler_turbo": (EULER, SD | {"clip_sample": False, "interpolation_type": "linear", "prediction_type": "epsilon",
                                 "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True,
                                 "steps_offset": 1, "timestep_spacing": "trailing", "timestep_type": "discrete",
                                 "trained_betas": None, "use_karras_sigmas": False}),
    "euler_linspace": (EULER, SD),
    "euler_leading_karras": (EULER, SD | {"steps_offset": 1, "timestep_spacing": "leading", "use_karras_sigmas": True}),
    "euler_karras_range": (EULER, SD | {"use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 10.0,
                                        "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}),
    "euler_zero_snr": (EULER, SD | ZERO),
    "euler_sample": (EULER, {"prediction_type": "sample"}),
    "ancestral_leading": (ANCESTRAL, SD | {"steps_offset": 1, "timestep_spacing": "leading"}),
    "ancestral_zero_snr": (ANCESTRAL, SD | ZERO),
    "dpm_linspace": (DPM, SD),
    "dpm_leading_karras": (DPM, SD | {"steps_offset": 1, "timestep_spacing": "leading", "use_karras_sigmas": True}),
    "dpm_velocity_heun": (DPM, SD | {"prediction_type": "v_prediction", "solver_type": "heun",
                                     "final_sigmas_type": "sigma_min", "timestep_spacing": "trailing"}),
    "dpm_cosine_clipped": (DPM, {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1,
                                 "use_karras_sigmas": False, "prediction_type": "sample"}),
    "dpm_cosine_karras": (DPM, {"beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True}),
    "dpm_zero_snr": (DPM, SD | ZERO | {"euler_at_final": True, "lower_order_final": False}),
    "dpm_first_order": (DPM, SD | {"solver_order": 1}),
    "dpm_stochastic": (DPM, SD | {"algorithm_type": "sde-dpmsolver++"}),
    "dpm_stochastic_heun": (DPM, SD | {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun",
                                       "use_karras_sigmas": True}),
    "unipc_linspace": (UNIPC, SD),
    "unipc_third_order": (UNIPC, SD | {"solver_order": 3, "solver_type": "bh1", "timestep_spacing": "leading",
                                       "steps_offset": 1, "final_sigmas_type": "sigma_min"}),
    "unipc_karras": (UNIPC, SD | {"use_karras_sigmas": True, "prediction_type": "v_prediction",
                                  "final_sigmas_type": "sigma_min", "disable_corrector": [0, 1]}),
    "unipc_zero_snr": (UNIPC, SD | ZERO | {"solver_order": 3}),
    "lcm_defaults": (LCM, {}),
    "lcm_clipped": (LCM, SD | {"clip_sample": True, "clip_sample_range": 2.0, "original_inference_steps": 100,
                               "prediction_type": "v_prediction", "timestep_scaling": 5.0}),
}


class Doubled:
    """PyTorch for the samplers' modules, with f64 where they say f32: their own rounding, which Euler's method at
    σ = 4096 makes 4e-5, is not what is to be tested."""

    def __getattr__(self, name):
        return torch.float64 if name == "float32" else getattr(torch, name)


def begin(scheduler, idx):
    """Says where a run starts, as the pipelines do: some schedules visit a rounded step twice."""
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(idx)
        scheduler._step_index = None


def trajectory(scheduler, module, n_steps, start):
    """All states of a run, and the noise that the sampler drew."""
    drawn = []

    def draw(shape, **kwargs):
        drawn.append(normal(700 + len(drawn), *shape))
        return drawn[-1].to(kwargs.get("dtype", torch.float64))

    module.randn_tensor = draw
    scheduler.set_timesteps(n_steps)
    begin(scheduler, 0)
    sample = start * scheduler.init_noise_sigma
    states = [sample]
    for t in scheduler.timesteps:
        prediction = fake_model(scheduler.scale_model_input(sample, t), float(t))
        sample = scheduler.step(prediction, t, sample).prev_sample.double()
        states.append(sample)
    assert all(torch.isfinite(state).all() for state in states)
    return torch.stack(states), drawn


def main():
    import diffusers

    start = normal(410, 1, 2, 2, 3)
    for name, (kind, config) in CASES.items():
        config = {"_class_name": kind, "_diffusers_version": diffusers.__version__} | config
        write_json(HERE / "samplers" / name / "scheduler_config.json", config)
        module = importlib.import_module(getattr(diffusers, kind).__module__)
        module.torch = Doubled()
        scheduler = getattr(diffusers, kind).from_config(config)
        tensors = {"start": start}
        for n_steps in (1, 4, 20):
            states, drawn = trajectory(scheduler, module, n_steps, start)
            tensors[f"timesteps.{n_steps}"] = scheduler.timesteps.double()
            tensors[f"trajectory.{n_steps}"] = states
            if drawn:
                tensors[f"noise.{n_steps}"] = torch.stack(drawn)
            noise = normal(411, 1, 2, 2, 3)
            where = scheduler.timesteps[n_steps // 2 : n_steps // 2 + 1]
            begin(scheduler, n_steps // 2)
            tensors[f"noised.{n_steps}"] = scheduler.add_noise(start, noise, where)
        save(HERE / "samplers" / name / "io.safetensors", f32(tensors | {"noise": normal(411, 1, 2, 2, 3)}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
