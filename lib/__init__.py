"""Everything Berth does; only lib.ui knows that it is shown with Streamlit."""
