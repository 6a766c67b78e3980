"use strict"; const ANCHORS = "INFERNO";
