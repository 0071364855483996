"""The only place that knows concrete classes: settings in, running parts out.

`lane` builds the gate process and imports no paho; `link` builds the link process and imports no
driver. Nothing else may import both a setting and a driver.
"""
