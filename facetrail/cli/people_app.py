"""`facetrail people`: the gallery's commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetrail.cli.command import Json, settings_of_this_command

people = typer.Typer(
    help="Who is enrolled.", epilog="Example: facetrail people list", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Their name.")]


@people.command("list", epilog="Example: facetrail people list --tag staff --json")
def list_people(
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    json: Json = False,
) -> None:
    """Who is enrolled, with how many photos."""
    from facetrail.cli.people import show_all

    show_all(settings_of_this_command(), tag, as_json=json)


@people.command("show", epilog='Example: facetrail people show "Ada Lovelace"')
def show(name: Name, json: Json = False) -> None:
    """Everything that is kept of a person, photo by photo."""
    from facetrail.cli.people import show_one

    show_one(settings_of_this_command(), name, as_json=json)


@people.command("status", epilog="Example: facetrail people status --json")
def status(json: Json = False) -> None:
    """How far each worker has followed the gallery's changes."""
    from facetrail.cli.people_status import run

    run(settings_of_this_command(), as_json=json)


@people.command("rename", epilog='Example: facetrail people rename "Ada Byron" "Ada Lovelace"')
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Their new name.")],
    json: Json = False,
) -> None:
    """Call a person something else. Past events keep the old name."""
    from facetrail.cli.people_edit import describe

    describe(settings_of_this_command(), name, {"name": new_name}, as_json=json)


@people.command(
    "set",
    epilog="Examples: facetrail people set Ada --tag staff --active-until 2027-12-31, "
    "facetrail people set Ada --ignore",
)
def set_fields(
    name: Name,
    external_id: Annotated[
        str | None, typer.Option(help="What another system calls them; '' for nothing.")
    ] = None,
    notes: Annotated[str | None, typer.Option(help="Words of your own; '' for none.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="One more tag.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="A tag less.")] = None,
    active_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not recognised before; '' for always.")
    ] = None,
    active_until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not recognised from then; '' for always.")
    ] = None,
    ignore: Annotated[
        bool | None, typer.Option("--ignore/--report", help="Known, but say nothing of them.")
    ] = None,
    json: Json = False,
) -> None:
    """Change what is kept of a person besides their photos."""
    from facetrail.cli.people_edit import Tags, describe

    given = {
        "external_id": external_id,
        "notes": notes,
        "active_from": active_from,
        "active_until": active_until,
    }
    changes: dict[str, object] = {
        field: value or ("" if field == "notes" else None)
        for field, value in given.items()
        if value is not None
    }
    if ignore is not None:
        changes["ignored"] = ignore
    if tag or untag:
        changes["tags"] = Tags(add=tuple(tag or ()), remove=tuple(untag or ()))
    if not changes:
        raise typer.BadParameter("say what to change: --notes, --tag, --active-until, --ignore …")
    describe(settings_of_this_command(), name, changes, as_json=json)


@people.command("merge", epilog='Example: facetrail people merge "A. Lovelace" "Ada Lovelace"')
def merge(
    name: Name,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Who they really are.")],
    json: Json = False,
) -> None:
    """Two are one person: give the first one's photos and sightings to the second."""
    from facetrail.cli.people_edit import merge as run

    run(settings_of_this_command(), name, into, as_json=json)


@people.command("split", epilog="Example: facetrail people split Ada Annabella 3f9a 77c1")
def split(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Who the photos show.")],
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO…", help="As `people show` calls them: a digest's start."),
    ],
    json: Json = False,
) -> None:
    """One is two people: give some photos to a new person."""
    from facetrail.cli.people_edit import split as run

    run(settings_of_this_command(), name, new_name, photos, as_json=json)


@people.command(
    "not", epilog="Example: facetrail people not Ada lobby/1795600000000/12/person_enter/1"
)
def rule_out(
    name: Name,
    shown: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO|EVENT…", help="Photos, or events by id, of somebody else."),
    ],
    json: Json = False,
) -> None:
    """These are not this person: faces nearer to them are never called so again."""
    from facetrail.cli.people_not import run

    run(settings_of_this_command(), name, shown, as_json=json)


@people.command("remove", epilog='Examples: facetrail people remove "Ada Lovelace" --verify')
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Their names.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Look everywhere afterwards that nothing is left.")
    ] = False,
    json: Json = False,
) -> None:
    """Erase people: encodings, photos, pictures and past events, everywhere."""
    from facetrail.cli.people_remove import run

    if not run(settings_of_this_command(), names, verify=verify, as_json=json):
        raise typer.Exit(1)


@people.command("re-encode", epilog="Example: facetrail people re-encode --encoder retail0095")
def re_encode(
    encoder: Annotated[str, typer.Option(metavar="NAME", help="The encoder to move to.")],
    json: Json = False,
) -> None:
    """Move the gallery to another encoder, from its stored chips, while workers go on."""
    from facetrail.cli.people_re_encode import run

    run(settings_of_this_command(), encoder, as_json=json)


@people.command("export", epilog="Example: facetrail people export people.facetrail --encrypt")
def export_people(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help="By a passphrase: FACETRAIL_PASSPHRASE, or asked for."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file.")] = False,
    json: Json = False,
) -> None:
    """Everyone with all that is kept of them, into one file."""
    from facetrail.cli.people_export import run

    run(settings_of_this_command(), file, encrypt=encrypt, force=force, as_json=json)


@people.command("import", epilog="Example: facetrail people import people.facetrail --dry-run")
def import_people(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `people export` wrote, here or elsewhere.")
    ],
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out people who are enrolled already.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all of it, only.")] = False,
    json: Json = False,
) -> None:
    """Everyone in an exported file, or, if anything is wrong with it, nobody."""
    from facetrail.cli.people_import import run

    settings = settings_of_this_command()
    run(settings, file, skip_existing=skip_existing, dry_run=dry_run, as_json=json)
