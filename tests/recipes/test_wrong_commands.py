"""Wrong commands over all recipes: one line on standard error, status 2, and nothing written.

A further case is one line of `COMMANDS`: a recipe, its flags, and a word of the answer. The files
that they name are made once, by `folder`.
"""

import importlib
import json
import shlex
import shutil
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from recipes import gan, wgan
from recipes._runtime import run as _run

LONG = "x" * 5000
TINY: dict[str, Any] = {
    "steps": 4,
    "eval_every": 2,
    "batch_size": 8,
    "depth": 1,
    "eval_size": 8,
    "metrics": False,
}
RESUMED = "--resume run"

COMMANDS = {
    # flags that there are not, or that lack a value, or have one of another type
    "unknown_flag": ("wgan", "--inner-step 3", "perhaps you meant --inner-steps"),
    "unknown_nested": (
        "wgan",
        "--discriminator-optimizer.rate 3",
        "--discriminator-optimizer.rate",
    ),
    "no_value": ("gan", "--steps", "--steps"),
    "stray": ("divergences", "now", "now"),
    "text": ("tournament", "--budget many", "--budget"),
    "float": ("dcgan", "--steps 2.5", "--steps"),
    "exponent": ("wgan", "--steps 1e20", "--steps"),
    "switch": ("phase_portrait", "--modified yes", "yes"),
    "activation": ("gan", "--activation sine", "--activation"),
    "activation_of_wgan": ("wgan", "--activation gelu", "--activation"),
    "no_activation": ("dcgan", "--activation silu", "--activation"),
    "choice": ("adversarial", "--solver newton", "newton"),
    "choice_of_many": ("compare", "--families glow", "glow"),
    "choice_of_tuple": ("critic", "--constraints clip vae", "vae"),
    "empty_text": ("gan", "--data ''", "--data"),
    "long_text": ("wgan", f"--data {LONG}", "5000 characters"),
    "long_name": ("cgan", f"--data a/{LONG[:300]}", "no file system"),
    "long_out": ("transport", f"--out {LONG}", "--out has 5000 characters"),
    "long_resume": ("tabular", f"--resume {LONG}", "name too long"),
    "long_config": ("gan", f"--config {LONG}", "name too long"),
    "null": ("gan", "--data 'a\0b'", "null character"),
    # numbers out of range, in the recipes and in the groups of nested flags
    "seed_below": ("wgan", "--seed -1", "--seed must be 0 or more"),
    "seed_above": ("gan", "--seed 18446744073709551616", "--seed must be at most"),
    "seed_1e20": ("phase_diagram", "--seed 1e20", "--seed"),
    "seed_100000000000000000000": ("transport", "--seed 100000000000000000000", "--seed"),
    "seed_of_tabular": ("tabular", "--seed -7", "--seed must be 0 or more"),
    "seed_of_modes": ("modes", "--seed -1", "--seed must be 0 or more"),
    "recommender_no_folder": ("recommender", "--data movielens", "needs --data-dir"),
    "recommender_no_file": (
        "recommender",
        "--data movielens --data-dir files",
        "has none of u.data",
    ),
    "recommender_cut": ("recommender", "--data movielens --data-dir cut_ratings", "line 3 has 2"),
    "recommender_folder_alone": ("recommender", "--data-dir files", "--data-dir is for"),
    "recommender_large": ("recommender", "--users 1000000 --items 1000000", "generate fewer"),
    "recommender_few_users": ("recommender", "--users 20", "fewer --held-out-users"),
    "recommender_many_held_out": ("recommender", "--held-out-users 3000", "fewer --held-out"),
    "recommender_twice": ("recommender", "--models vae vae", "each once"),
    "recommender_none": ("recommender", "--models", "one or more values"),
    "recommender_dropout": ("recommender", "--dropout 1", "--dropout must be in [0, 1)"),
    "steps_none": ("wgan", "--steps 0", "--steps must be at least 1"),
    "steps_below": ("adversarial", "--steps -5", "--steps must be at least 1"),
    "steps_above": ("cgan", "--steps 100000000000000000000", "--steps must be at most"),
    "rounds_above": ("divergences", "--steps 100000000000", "--steps must be at most"),
    "eval_size_1": ("wgan", "--eval-size 1", "--eval-size must be at least 3"),
    "eval_size_1_images": ("dcgan", "--eval-size 1", "--eval-size must be at least 3"),
    "eval_size_1_tables": ("tabular", "--eval-size 1", "--eval-size must be at least 3"),
    "eval_size_1_attacks": ("adversarial", "--eval-size 1", "--eval-size must be at least 3"),
    "eval_size_1e6": ("gan", "--data ring --eval-size 1000000", "--eval-size must be at most"),
    "eval_size_1e6_images": ("cgan", "--eval-size 1000000", "--eval-size must be at most"),
    "eval_size_1e6_families": ("compare", "--eval-size 1000000", "--eval-size must be at most"),
    "width_1e8": (
        "wgan",
        "--discriminator-width 100000000",
        "--discriminator-width must be at most",
    ),
    "width_1e8_gan": ("gan", "--width 100000000", "--width must be at most"),
    "width_1e8_images": ("dcgan", "--width 100000000", "--width must be at most"),
    "width_3000_images": ("cgan", "--width 3000", "--width must be at most 2048"),
    "width_1e8_nested": (
        "modes",
        "--network.discriminator-width 100000000",
        "--network.discriminator-width",
    ),
    "width_1e8_of_gan": ("tournament", "--games gan --gan.width 100000000", "--gan.width must"),
    "width_1e8_deep": ("critic", "--deep-width 100000000", "--deep-width must be at most"),
    "depth_above": ("tabular", "--depth 100000", "--depth must be at most"),
    "batch_above": ("gan", "--batch-size 100000000", "--batch-size must be at most"),
    "starts_above": ("certify", "--game forsaken --starts 1000000000", "--starts must be at most"),
    "plays_above": ("phase_diagram", "--plays 1000000000", "--plays must be at most"),
    "sizes_above": ("tournament", "--step-sizes 1000000000", "--step-sizes must be at most"),
    "thetas_above": ("divergences", "--thetas 1000000000", "--thetas must be at most"),
    "points_above": ("transport", "--points 100000", "--points must be from 2 to 500"),
    "rate_nan": (
        "wgan",
        "--discriminator-optimizer.learning-rate nan",
        "optimizer.learning-rate",
    ),
    "rate_inf": (
        "dcgan",
        "--generator-optimizer.learning-rate inf",
        "--generator-optimizer.learning-rate must be positive",
    ),
    "rate_0": ("phase_portrait", "--learning-rate 0", "--learning-rate must be positive"),
    "beta": ("gan", "--generator-optimizer.beta1 1", "beta1 must be in [0, 1)"),
    "weight_nan": ("cgan", "--label-by auxiliary --auxiliary-weight nan", "--auxiliary-weight"),
    "weight_inf": (
        "cgan",
        "--reconstruction-weight inf",
        "--reconstruction-weight must be 0 or more",
    ),
    "weight_below": ("tabular", "--label-weight -1", "--label-weight must be 0 or more"),
    "radius_nan": ("adversarial", "--l2-radius nan", "--l2-radius must be positive"),
    "clip_0": ("wgan", "--penalties --clip 0", "--clip must be positive"),
    "reach": ("divergences", "--reach 100", "--reach must be from 0.1 to 8"),
    "noise": ("critic", "--noise inf", "--noise must be from 0"),
    "increasing": ("tournament", "--smallest-step 3 --largest-step 1", "increasing"),
    "certify_every": ("wgan", "--certify-every 300", "must be a multiple of --eval-every"),
    "certify_every_below": ("dcgan", "--certify-every -500", "--certify-every must be 0 or more"),
    "image_size": ("gan", "--data digits --image-size 1", "--image-size must be at least 2"),
    # flags that do not go together
    "both_at_once": ("wgan", "--solver simultaneous --inner-steps 2", "add --inner-steps 1"),
    "edges_of_labels": ("cgan", "--condition edges --label-by auxiliary", "--label-by is for"),
    "restart": ("adversarial", "--solver none --restart", "--restart is for"),
    "images_only": ("gan", "--data ring --penalties bcr", "flips and shifts images"),
    "penalty_twice": ("dcgan", "--penalties r1 r1", "give each of them once"),
    "latents_without_quadrature": ("latent", "--latent-size 3", "1 or 2 numbers"),
    "bound_unknown": ("latent", "--methods elbo wake_sleep", "wake_sleep"),
    "bound_none": ("latent", "--methods", "--methods"),
    "bound_conv_of_points": ("latent", "--data ring --kind conv", "--kind conv needs images"),
    "bound_batch": ("latent", "--batch-size 5000", "--batch-size 5000 is larger"),
    "latents_of_a_density": ("gan", "--latent-size 3", "leave it out"),
    "no_images_to_halve": ("vqvae", "--data ring", "--kind conv needs images"),
    "too_many_halvings": ("vqvae", "--halvings 4", "--halvings 4 leaves nothing of images of 8x8"),
    "too_many_places": (
        "vqvae",
        "--kind dense --groups 2000",
        "--groups 2000 gives 2000 codes a point, and the prior takes at most 1024; take fewer",
    ),
    "uneven_heads": ("vqvae", "--prior.heads 3", "--prior.heads 3 must share --prior.width 64"),
    "no_heads": ("vqvae", "--prior.heads 0", "--prior.heads must be at least 1"),
    "one_code": ("vqvae", "--codes 1", "--codes must be at least 2"),
    "many_codes": ("vqvae", "--codes 100000000", "--codes must be at most"),
    "decay_1": ("vqvae", "--decay 1", "--decay must be in [0, 1)"),
    "noise_of_a_hole": ("autoencoder", "--task inpaint --noise 1", "--noise is for --task denoise"),
    "noise_below": ("autoencoder", "--task denoise --noise -1", "--noise must be positive"),
    "large_hole": ("autoencoder", "--task inpaint --hole 8", "--hole must be smaller than"),
    "factor_1": ("autoencoder", "--task superresolve --factor 1", "--factor must be at least 2"),
    "factor_3": ("autoencoder", "--task superresolve --factor 3", "--factor must divide"),
    "skips_of_itself": ("autoencoder", "--kind conv --skips", "--skips is for --kind conv"),
    "large_code": ("autoencoder", "--latent-size 65", "--latent-size must be at most 64"),
    "width_3000_conv": ("autoencoder", "--kind conv --width 3000", "--width must be at most 2048"),
    "five_images": (
        "autoencoder",
        "--data five.npy --batch-size 2 --latent-size 2",
        "too few to judge by",
    ),
    "points_to_restore": ("autoencoder", "--data ring", "images are needed"),
    "vae_bits_of_points": ("vae", "--data ring", "needs images"),
    "vae_conv_points": (
        "vae",
        "--data ring --kind conv --likelihood gaussian_fixed",
        "--kind conv",
    ),
    "vae_beta_of_iwae": ("vae", "--objective iwae --beta 2", "no KL term"),
    "vae_free_mixture": ("vae", "--prior mixture --free-bits 1", "--free-bits needs"),
    "vae_many_pseudo_inputs": ("vae", "--prior vamp --components 5000", "at most 1438"),
    "vae_no_labels": ("vae", "--data swiss_roll --likelihood gaussian_fixed --conditional", "none"),
    "diffusion_short_chain": ("diffusion", "--schedule linear --diffusion-steps 100", "leaves 0.6"),
    "diffusion_one_step": (
        "diffusion",
        "--diffusion-steps 1",
        "--diffusion-steps must be at least",
    ),
    "diffusion_chain_of_edm": (
        "diffusion",
        "--objective edm --schedule linear",
        "--schedule is of",
    ),
    "diffusion_T_of_flow": (
        "diffusion",
        "--objective flow --diffusion-steps 500",
        "--diffusion-steps is of the chain",
    ),
    "diffusion_times_of_noise": ("diffusion", "--times logit_normal", "is for --objective flow"),
    "diffusion_more_steps": (
        "diffusion",
        "--diffusion-steps 40 --sampling-steps 50",
        "more than the 40",
    ),
    "diffusion_no_labels": ("diffusion", "--data swiss_roll --condition class", "needs labels"),
    "diffusion_no_condition": ("diffusion", "--prompt seven", "--prompt needs a model with"),
    "diffusion_no_class": ("diffusion", "--guidance-scale 2", "--guidance-scale needs a model"),
    "diffusion_word": (
        "diffusion",
        "--condition class --prompt 'three zebra'",
        "'zebra' is no word of the model, which knows zero, one",
    ),
    "diffusion_no_word": ("diffusion", "--condition class --prompt ' '", "names no class"),
    "diffusion_guidance_below": (
        "diffusion",
        "--condition class --guidance-scale -1",
        "--guidance-scale must be 0 or more",
    ),
    "diffusion_points": ("diffusion", "--data ring --network unet", "--network unet needs images"),
    "diffusion_halvings": ("diffusion", "--multipliers 1 2 2 2", "to less than 2 pixels"),
    "diffusion_no_sizes": ("diffusion", "--multipliers", "--multipliers"),
    "diffusion_groups": ("diffusion", "--width 20", "take a multiple of 8"),
    "diffusion_attention": ("diffusion", "--attention 5", "the hidden images are 8, 4 pixels"),
    "diffusion_dropout": ("diffusion", "--label-dropout 1", "--label-dropout must be in [0, 1)"),
    "diffusion_untrained": ("diffusion", "--task inpaint", "add its --run FOLDER"),
    "diffusion_run_of_another": ("diffusion", "--run gan", "is a run of recipes.gan"),
    "diffusion_no_run": ("diffusion", "--run nowhere", "nowhere"),
    "diffusion_trained_otherwise": ("diffusion", "--run gan --width 64", "--width is the trained"),
    "linear_vae_latents": ("linear_vae", "--latent-size 64", "at most 60 latents"),
    "linear_vae_study": ("linear_vae", "--latent-sizes 2 99", "--latent-sizes 99"),
    "linear_vae_beta": ("linear_vae", "--betas 0", "--betas must be positive"),
    "no_methods": ("modes", "--methods --solvers", "both empty"),
    "no_player": ("tournament", "--games bilinear --solvers svre", "none of --solvers"),
    "unbalanced": ("transport", "--piles 1 2 --holes 1 1", "totals must be equal"),
    "label_of_no_csv": ("tabular", "--label age", "--csv"),
    "run_and_game": ("certify", "run --game forsaken", "not both"),
    "no_game": ("phase_portrait", "--game chess", "there is no such name"),
    "no_point": ("phase_diagram", "--point 7", "--point 7"),
    "overwrite_what": ("wgan", "--overwrite", "--overwrite replaces the folder of --out"),
    "overwrite_what_else": ("divergences", "--overwrite", "add --out"),
    "overwrite_no_run": ("gan", "--out files --overwrite", "no earlier run's folder"),
    "overwrite_a_file": ("critic", "--out same.npy --overwrite", "no earlier run's folder"),
    "overwrite_resumed": ("wgan", f"{RESUMED} --overwrite", "--overwrite replaces"),
    "out_exists": ("compare", "--out files", "exists already"),
    "out_below_a_file": ("modes", "--out same.npy/run", "cannot be written"),
    # data that cannot be learned from
    "no_data": ("wgan", "--data nothing", "--data nothing is none of"),
    "no_file": ("gan", "--data nothing.npy", "there is no such file"),
    "no_folder": ("wgan", "--data mnist --data-dir nowhere", "--data-dir nowhere is no folder"),
    "no_data_dir": ("dcgan", "--data mnist", "needs --data-dir"),
    "constant": ("wgan", "--data same.npy --batch-size 8", "points are the same"),
    "constant_gan": ("gan", "--data same.npy --batch-size 8", "points are the same"),
    "constant_images": ("dcgan", "--data grey.npy --batch-size 8", "points are the same"),
    "constant_families": ("compare", "--data grey.npy", "points are the same"),
    "large_batch": ("wgan", "--data few.npy", "--batch-size 64 is larger than the data"),
    "no_images": ("dcgan", "--data few.npy --batch-size 8", "images are needed"),
    # files of data that are not sound
    "index_column": ("transport", "--cloud index.csv --other ring", "a column without a name"),
    "index_of_table": ("tabular", "--csv index.csv --label y", "a column without a name"),
    "no_csv": ("tabular", "--csv nothing.csv --label y", "there is no such file"),
    "no_column": ("tabular", "--csv table.csv --label z", "no such column"),
    "no_labels": (
        "tabular",
        "--csv table.csv --label gap --drop money",
        "the label gap has no value in 1 of 20",
    ),
    "thousands": ("tabular", "--csv table.csv --label kind", "with a point and without thousands"),
    "no_number": ("transport", "--cloud table.csv --other ring", "line 2: 'a' is no number"),
    "columns": ("tabular", "--csv wide.csv --label y", "20,001 columns; at most 10,000"),
    "nan": ("wgan", "--data nan.npy --batch-size 8", "NaN or inf in 1 of its 20 points"),
    "objects": ("gan", "--data objects.npy", "Python objects"),
    "archive": ("dcgan", "--data names.npz", "name the points one of"),
    "cut_idx": ("wgan", "--data mnist --data-dir idx", "is truncated"),
    "cut_png": ("dcgan", "--data cut --batch-size 8", "cut/3.png cannot be read as an image"),
    "large_png": ("cgan", "--data large", "9000x9000"),
    "one_picture": ("compare", "--data one", "1 images in it and below"),
    # runs to go on with
    "resume_nothing": ("wgan", "--resume nowhere", "nowhere"),
    "resume_no_run": ("wgan", "--resume files", "files"),
    "resume_of_another": ("wgan", "--resume gan", "is a run of recipes.gan; go on with it by"),
    "resume_no_checkpoint": ("wgan", "--resume bare", "has no sound checkpoint"),
    "resume_in_one_piece": ("transport", "--resume nowhere", "nowhere"),
    "resume_backwards": ("wgan", f"{RESUMED} --steps 2", "has come to 4 already"),
    "resume_otherwise": ("wgan", f"{RESUMED} --batch-size 16", "--batch-size is 8 and not 16"),
    "resume_another_seed": ("wgan", f"{RESUMED} --seed 1", "--seed is 0 and not 1"),
    "resume_elsewhere": ("wgan", f"{RESUMED} --out other", "leave --out out"),
    "resume_and_config": ("wgan", f"{RESUMED} --config run/config.json", "one configuration"),
    "config_nothing": ("modes", "--config nowhere.json", "does not exist"),
    "config_of_another": ("wgan", "--config gan/config.json", "a configuration of recipes.gan"),
    "certify_nothing": ("certify", "nowhere", "no such folder"),
    "certify_no_round": ("certify", "run --round 3", "no checkpoint of round 3"),
}

CONFIGS = {
    "empty": (b"", "no JSON file"),
    "cut": (b'{"recipe": "wgan", "args": {', "no JSON file"),
    "utf_16": ('{"recipe": "wgan"}'.encode("utf-16"), "no JSON file"),
    "bytes": (b"\xff\xfe\x00", "no JSON file"),
    "deep": (b"[" * 100_000, "no JSON file"),
    "list": (b"[1, 2]", "must hold an object"),
    "number": (b"12", "must hold an object"),
    "null": (b"null", "must hold an object"),
    "args_null": ({"args": None}, "must hold an object of flags"),
    "args_list": ({"args": [1]}, "must hold an object of flags"),
    "data_null": ({"data": None}, "its 'data' must be an object"),
    "data_list": ({"data": []}, "its 'data' must be an object"),
    "recipe_null": ({"recipe": None}, "its 'recipe' must be a text"),
    "recipe_other": ({"recipe": "vae"}, "is a run of recipes.vae"),
    "checksums_null": ({"crc32": None}, "is not what the run wrote there"),
    "flag_changed": ({"args.depth": 3}, "depth is not what the run wrote there"),
    "seed_changed": ({"args.seed": 5}, "seed is not what the run wrote there"),
    "steps_changed": ({"args.steps": 5}, "steps is not what the run wrote there"),
    "flag_unknown": ({"args.deepth": 1}, "the key deepth"),
    "flag_type": ({"args.depth": "1"}, 'depth must be int, not "1"'),
    "flag_null": ({"args.depth": None}, "depth must be int, not null"),
    "flag_seed": ({"args.seed": -1}, "--seed must be 0 or more"),
}  # fmt: skip


def write_data_files(folder):
    """Files of data with a fault each."""
    rows = [f"{i},{i % 3},{'ab'[i % 2]}" for i in range(20)]
    (folder / "index.csv").write_text("\n".join([",x,y", *rows]), encoding="utf-8")
    table = [f'{"ab"[i % 2]},"1,{i:03}",{"" if i == 3 else i % 2}' for i in range(20)]
    (folder / "table.csv").write_text("\n".join(["kind,money,gap", *table]), encoding="utf-8")
    wide = ",".join(f"c{i}" for i in range(20_000)) + ",y\n"
    (folder / "wide.csv").write_text(wide, encoding="utf-8")
    np.save(folder / "nan.npy", np.where(np.arange(60).reshape(20, 3) == 7, np.nan, 1.0))
    np.save(folder / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    np.savez(folder / "names.npz", one=np.ones(3), two=np.ones(3))
    for name in ("idx", "cut", "large", "one", "cut_ratings"):
        (folder / name).mkdir()
    ratings = "1\t2\t5\t881250949\n2\t2\t4\t881250949\n3\t7"
    (folder / "cut_ratings" / "u.data").write_text(ratings, encoding="utf-8")
    for kind, axes in (("images-idx3", 3), ("labels-idx1", 1)):
        header = bytes([0, 0, 8, axes]) + b"\0\0\0\x08" * axes
        (folder / "idx" / f"train-{kind}-ubyte").write_bytes(header + bytes(7))
    for place in range(9):
        Image.new("L", (8, 8), 20 * place).save(folder / "cut" / f"{place}.png")
    whole = (folder / "cut" / "3.png").read_bytes()
    (folder / "cut" / "3.png").write_bytes(whole[: len(whole) // 2])
    for place in range(2):
        Image.new("1", (9000, 9000)).save(folder / "large" / f"{place}.png")
    Image.new("L", (8, 8)).save(folder / "one" / "0.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two small runs, files of data, and a run with each of the wrong configurations."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "files").mkdir()
    (folder / "files" / "notes.txt").write_text("no run", encoding="utf-8")
    np.save(folder / "same.npy", np.ones((20, 2)))
    np.save(folder / "grey.npy", np.full((20, 8, 8), 7, np.uint8))
    np.save(folder / "five.npy", np.arange(80, dtype=np.uint8).reshape(5, 4, 4))
    np.save(folder / "few.npy", np.random.default_rng(0).normal(size=(20, 3)))
    write_data_files(folder)
    widths: dict[str, Any] = {"generator_width": 4, "discriminator_width": 4, "latent_size": 2}
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        wgan.run(wgan.Args(out=folder / "run", **TINY, **widths))
        gan.run(gan.Args(out=folder / "gan", **TINY, data="digits", width=4, latent_size=2))
    shutil.copytree(folder / "run", folder / "bare")
    shutil.rmtree(folder / "bare" / "checkpoints")
    for name, (content, _) in CONFIGS.items():
        path = folder / f"config_{name}" / "config.json"
        shutil.copytree(folder / "run", path.parent)
        if isinstance(content, dict):
            config = json.loads(path.read_text(encoding="utf-8"))
            for key, value in content.items():
                *within, last = key.split(".")
                (config[within[0]] if within else config)[last] = value
            content = json.dumps(config).encode()
        path.write_bytes(content)
    return folder


def contents(folder):
    return {p: p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module")
def before(folder):
    return contents(folder)


@pytest.fixture
def refuse(folder, before, monkeypatch, capsys):
    """Plays a command that must be refused with a word, within the folder."""

    def start(*args, **kwargs):
        pytest.fail("the command was started")

    monkeypatch.setattr(_run.RunFolder, "write_config", start)
    monkeypatch.chdir(folder)

    def play(recipe, argv, word):
        monkeypatch.setattr("sys.argv", [recipe, *argv])
        with pytest.raises(SystemExit) as stop:
            importlib.import_module(f"recipes.{recipe}").main()
        out, err = capsys.readouterr()
        assert stop.value.code == 2
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert word.lower() in err.lower()
        assert contents(folder) == before

    return play


def test_there_are_enough_commands_and_every_recipe_has_some():
    """Sixty at least, of fifteen recipes."""
    assert len(COMMANDS) + len(CONFIGS) >= 60
    recipes = {recipe for recipe, _, _ in COMMANDS.values()}
    assert recipes == {
        "adversarial", "autoencoder", "certify", "cgan", "compare", "critic", "dcgan", "diffusion",
        "divergences", "gan", "latent", "linear_vae", "modes", "phase_diagram", "phase_portrait",
        "recommender", "tabular", "tournament", "transport", "vae", "vqvae", "wgan",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_wrong_command_is_one_line(name, refuse, float32):
    """Status 2, before anything is written or compiled."""
    recipe, flags, word = COMMANDS[name]
    refuse(recipe, shlex.split(flags), word)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_run_with_a_wrong_configuration_does_not_go_on(name, refuse, float32):
    """It is left as it is."""
    refuse("wgan", ["--resume", f"config_{name}"], CONFIGS[name][1])
