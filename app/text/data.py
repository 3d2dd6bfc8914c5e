"""What the Data page says."""

from __future__ import annotations

from typing import Final

# Where the images are
PATH: Final = "Folder with images, or a zip archive"
PATH_INFO: Final = "Paste its path. The files are read where they are; nothing is changed."
PATH_EXAMPLE: Final = r"For example D:\studies\ultrasound or /home/me/ultrasound"
READ: Final = "Read the images"
OR: Final = "or"
DEMO_TITLE: Final = "New to Bedside?"
DEMO_WORDS: Final = (
    "Try it on 720 synthetic images of 240 invented patients, drawn by Bedside on this computer. "
    "Everything works as it does with your own images."
)
DEMO: Final = "Try the demo"
LAYOUT_TITLE: Final = "How Bedside finds the classes"
LAYOUT_FOLDERS: Final = "From one folder for each class,"
LAYOUT_TABLE: Final = "or from a table beside the images."
LAYOUT_KINDS: Final = (
    "DICOM (series and films too), PNG, JPEG, TIFF, BMP, NIfTI, MHA, NRRD, MedMNIST files and zip "
    "archives of them are read. Patients come from the DICOM header, the table, or a pattern in "
    "the file names. Names and columns can be changed after the first look."
)

# Forms
DIVIDE: Final = "Divide the patients differently"
DIVIDE_WORDS: Final = (
    "Whole patients go to training, validation or the sealed test. The same shares and seed always "
    "give the same division. The images are not read again."
)
DIVIDE_BUTTON: Final = "Divide again"
SETTINGS: Final = "How the images are read"
SETTINGS_LABELS: Final = "Labels"
SETTINGS_PATIENTS: Final = "Patients"
SETTINGS_PICTURES: Final = "Pictures"
SETTINGS_CHOICES: Final = {
    "data.labels": (
        ("Table if there is one, else folders", "auto"),
        ("Class folders", "folders"),
        ("Table", "csv"),
        ("Inside the files (MedMNIST)", "file"),
        ("A DICOM tag", "tag"),
        ("None: for looking only", "none"),
    ),
    "data.pixels.fit": (("Pad with black", "pad"), ("Stretch", "stretch")),
    "data.pixels.frames": (
        ("All", "all"),
        ("The middle one", "middle"),
        ("Every n-th", "every"),
    ),
    "data.pixels.slice_axis": (
        ("Where pixels are finest", "auto"),
        ("Axial", "axial"),
        ("Coronal", "coronal"),
        ("Sagittal", "sagittal"),
    ),
    "split.origin": (
        ("Keep one that comes with the data, if it does not leak", "auto"),
        ("Divide anew", "new"),
    ),
}
SETTINGS_BUTTON: Final = "Read again with these settings"
CHANGED_ELSEWHERE: Final = "The project or its settings were changed in another window"
CHANGED_ELSEWHERE_TODO: Final = "Reload this page; nothing has been changed."
NO_PROJECT: Final = "There is no project open"
NO_PROJECT_TODO: Final = "Choose a folder with images first."
NO_SUCH_IMAGE: Final = "This image is not in the project"

# What was found
PATIENT_SOURCES: Final = {
    "header": "from the file header",
    "column": "from the table",
    "pattern": "from the file names",
    "study": "from the examination in the file header",
    "image": "none named: each counts as one",
}
MODALITIES: Final = {
    "CR": "X-ray (CR)", "CT": "CT", "DX": "X-ray (DX)", "ES": "Endoscopy", "GM": "Microscopy",
    "IO": "Dental X-ray", "MG": "Mammography", "MR": "MRI", "NM": "Nuclear medicine",
    "OCT": "OCT", "OP": "Eye photograph", "OPT": "Eye tomography", "OT": "Other",
    "PT": "PET", "PX": "Dental panorama", "RF": "Fluoroscopy", "SC": "Secondary capture",
    "SM": "Slide microscopy", "US": "Ultrasound", "XA": "Angiography", "XC": "Photograph",
}  # fmt: skip
UNSTATED: Final = "not stated"
NO_FINDING: Final = "no finding"
NO_LABEL: Final = "no label"
FACT_IMAGES: Final = "Images"
FACT_PATIENTS: Final = "Patients"
FACT_CLASSES: Final = "Classes"
FACT_FINDINGS: Final = "Findings"
FACT_SIZE: Final = "Size in the files"
FACT_BITS: Final = "Grey levels"
FACT_MODALITY: Final = "Modality"
SIZES: Final = "{count:,} different sizes"
BITS: Final = "{bits} bits"
EACH: Final = "{name}: {count:,}"
IGNORED: Final = "One file was passed over, because it is no image (such as a label table)."
IGNORED_MANY: Final = "{count:,} files were passed over, because they are no images."
OUT: Final = "{count:,} of {total:,} could not be used"

# One image
ONE: Final = {
    "label": "Label", "split": "Used for", "patient": "Patient", "size": "Size in the file",
    "kept": "Kept as", "place": "Place", "spacing": "Pixel distance", "bits": "Grey levels",
    "modality": "Modality", "window": "Window", "decoder": "Decoded by", "notes": "Notes",
    "image": "Image id",
}  # fmt: skip
SPLITS: Final = {
    "train": "training",
    "validation": "validation",
    "test": "the sealed test",
    "": "not divided yet",
}
PLACE_SLICE: Final = "slice {number:,} of its series"
PLACE_FRAME: Final = "picture {number:,} of {all:,} in its file"
SPACING: Final = "{rows:.3g} × {columns:.3g} mm ({origin})"
SPACING_OF: Final = {"patient": "in the patient", "detector": "at the detector", "film": "on film"}
PSEUDONYM: Final = "{start}… (a keyed hash, {origin})"
KEPT: Final = "{side} × {side} px, {bits} bits; this is what the networks see"

# Failures of an import that name no remedy of their own
ADVICE: Final = {
    "L11": "Save the table again as CSV with commas, semicolons or tabs.",
    "L14": "Fill the table, or label by folders (see the settings below).",
}
TRY_AGAIN: Final = "Mend what is named, then read the images again."
CACHE_GONE: Final = "The decoded images of this project are no longer there"
CACHE_GONE_TODO: Final = "Read the images again."
NO_FINDINGS: Final = "The images of this project have not been looked through"

# What the settings would do
PREVIEW_TITLE: Final = "With these settings"
PREVIEW_NO_FILES: Final = "The folder holds no file that looks like an image."
PREVIEW_FILES: Final = "{files:,} files look like images."
PREVIEW_CLASSES: Final = "{count:,} classes {origin}: {names}."
PREVIEW_ONE_CLASS: Final = "Only one class {origin}: {names}. At least two are needed."
PREVIEW_NO_CLASS: Final = "No class {origin}."
PREVIEW_FROM_FOLDERS: Final = "from the folders"
PREVIEW_FROM_TABLE: Final = "from the table"
PREVIEW_UNLABELLED: Final = "One file has no label."
PREVIEW_MANY_UNLABELLED: Final = "{count:,} files have no label."
PREVIEW_PROPOSED: Final = "The columns of the table look like this: {columns}."
PREVIEW_TABLES: Final = "Tables in the folder: {tables}."
PREVIEW_PATTERN: Final = "The pattern finds {patients:,} patients in {files:,} names."
PREVIEW_UNFIT: Final = "{count:,} names do not fit it, for example {name}."
PREVIEW_SUGGESTED: Final = (
    "The file names suggest {patients:,} patients ({about}): the pattern {pattern} would take them."
)
PREVIEW_COLUMN: Final = "The table names {patients:,} patients for {files:,} files."
PREVIEW_NOBODY: Final = (
    "Neither table nor pattern names a patient. Where the file header names none either, each "
    "image counts as a patient of its own."
)
PREVIEW_HEADER: Final = "A patient named in the file header goes before both."
