# SMOTE's place: the minority is oversampled by hand in the training rows, since imbalanced-learn is no dependency here.

# %% [markdown]
# # Credit card fraud
# very imbalanced!

# %%
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
from sklearn.preprocessing import RobustScaler
from sklearn.model_selection import train_test_split
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score, precision_score, f1_score, confusion_matrix

# %%
df = pd.read_csv('creditcard.csv')
df.head()

# %%
print('Frauds', round(df['Class'].value_counts()[1] / len(df) * 100, 2), '% of the dataset')

# %%
rob_scaler = RobustScaler()
df['scaled_amount'] = rob_scaler.fit_transform(df['Amount'].values.reshape(-1, 1))
df['scaled_time'] = RobustScaler().fit_transform(df['Time'].values.reshape(-1, 1))
df.drop(['Time', 'Amount'], axis=1, inplace=True)

# %%
scaled_amount = df['scaled_amount']
df.drop(['scaled_amount'], axis=1, inplace=True)
df.insert(0, 'scaled_amount', scaled_amount)
df.head()

# %%
X = df.drop('Class', axis=1)
y = df['Class']
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)

# %%
train = pd.concat([X_train, y_train], axis=1)
fraud = train[train.Class == 1]
normal = train[train.Class == 0]
len(fraud), len(normal)

# %%
from sklearn.utils import resample
fraud_upsampled = resample(fraud, replace=True, n_samples=len(normal), random_state=27)
upsampled = pd.concat([normal, fraud_upsampled])
upsampled.Class.value_counts()

# %%
y_train_up = upsampled.Class
X_train_up = upsampled.drop('Class', axis=1)

# %%
lr = LogisticRegression(solver='liblinear')
lr.fit(X_train_up, y_train_up)

# %%
y_pred = lr.predict(X_test)
print('recall   ', recall_score(y_test, y_pred))
print('precision', precision_score(y_test, y_pred))
print('f1       ', f1_score(y_test, y_pred))

# %%
plt.matshow(confusion_matrix(y_test, y_pred))
