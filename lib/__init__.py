"""Everything Berth does; only lib.ui knows that it is shown with Streamlit."""

VERSION = "0.1.0"
